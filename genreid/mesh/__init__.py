"""From an image to a body: estimators, the shards of what they find, and how good it is."""
