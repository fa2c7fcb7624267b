"""Makers and checkers for who works on the project; a run needs none of them."""
