"""Where and who: the cameras of a world and the persons in it."""
