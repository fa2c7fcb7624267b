"""One thin command a file: read params, call the science, write artifacts."""
