"""Who somebody is: what stays the same from camera to camera."""
