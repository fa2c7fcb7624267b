"""How the data sets of the field lie on a disk: one file a layout, and `registry` that knows them by name."""
