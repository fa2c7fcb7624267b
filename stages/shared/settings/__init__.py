"""A section of params.yaml a file, of stages that join several rooms: no torch is imported for them."""
