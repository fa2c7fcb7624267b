"""Encoders that other programs trained: their names, their networks, and what their files do not say."""
