"""From a figure at a spot to the pixels of its crop."""
