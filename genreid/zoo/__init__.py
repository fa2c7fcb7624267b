"""Weights of other people's networks: where they come from, and those that are here."""
