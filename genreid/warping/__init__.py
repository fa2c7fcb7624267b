"""A person from another side: what an image shows of it, warped along its mesh. The door is `warper`."""
