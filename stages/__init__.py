"""The stages in their order, one thin command a file: read params, call the science, write artifacts."""
