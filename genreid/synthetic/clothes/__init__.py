"""Skin, hair and clothes, painted on a canvas that the body wears."""
