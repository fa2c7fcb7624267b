"""A section of params.yaml a file: what training is told, read and checked before torch is imported."""
