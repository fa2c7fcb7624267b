"""What stands before a camera, and its empty picture."""
