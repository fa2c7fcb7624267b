"""`evaluate`."""


def evaluate() -> None:
    """Compare."""
