"""The body room: meshes in SMPL's layout, rotations, and the weak-perspective camera."""
