"""`fit_regressor`."""


def fit_regressor() -> None:
    """Fit."""
