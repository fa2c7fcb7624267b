"""Bodies to pictures: the z-buffer, the grey views that the generator is shown, and the shards for them."""
