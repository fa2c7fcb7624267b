"""Colours of cloth: RGB in [0, 1], square roots of reflectance."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.person.identity import RGB

DYES: dict[str, tuple[RGB, float, float]] = {
    # name: colour, weight among tops, weight among trousers and skirts
    "black": ((0.17, 0.17, 0.18), 0.20, 0.25),
    "charcoal": ((0.28, 0.28, 0.30), 0.10, 0.11),
    "navy": ((0.17, 0.19, 0.28), 0.12, 0.10),
    "grey": ((0.52, 0.52, 0.53), 0.09, 0.07),
    "light grey": ((0.70, 0.70, 0.70), 0.05, 0.02),
    "white": ((0.88, 0.88, 0.87), 0.12, 0.02),
    "denim": ((0.31, 0.37, 0.47), 0.04, 0.20),
    "pale denim": ((0.52, 0.58, 0.66), 0.02, 0.06),
    "blue": ((0.22, 0.34, 0.57), 0.05, 0.01),
    "light blue": ((0.60, 0.72, 0.84), 0.04, 0.0),
    "beige": ((0.74, 0.66, 0.54), 0.05, 0.07),
    "brown": ((0.40, 0.30, 0.24), 0.03, 0.03),
    "olive": ((0.36, 0.37, 0.26), 0.05, 0.03),
    "green": ((0.18, 0.42, 0.30), 0.02, 0.005),
    "red": ((0.68, 0.16, 0.17), 0.05, 0.01),
    "burgundy": ((0.40, 0.14, 0.20), 0.03, 0.01),
    "pink": ((0.86, 0.62, 0.66), 0.025, 0.005),
    "yellow": ((0.85, 0.72, 0.25), 0.015, 0.0),
    "orange": ((0.84, 0.45, 0.18), 0.01, 0.0),
    "purple": ((0.42, 0.30, 0.52), 0.015, 0.0),
    "teal": ((0.16, 0.46, 0.50), 0.015, 0.0),
}


def near(rng: np.random.Generator, rgb: RGB, spread: float) -> RGB:
    """A colour near another one: the same dye, more or less washed."""
    value = np.clip(
        np.array(rgb) * np.exp(rng.normal(0.0, 2.2 * spread)) + rng.normal(0.0, spread, 3), 0.11, 0.93
    )
    return float(value[0]), float(value[1]), float(value[2])


def dye(rng: np.random.Generator, place: int) -> RGB:
    """A colour of tops (place 1) or of trousers and skirts (place 2)."""
    names = list(DYES)
    weight = np.array([DYES[name][place] for name in names])
    return near(rng, DYES[names[rng.choice(len(names), p=weight / weight.sum())]][0], 0.02)


def contrast(rng: np.random.Generator, rgb: RGB) -> RGB:
    """Another colour that can be told from `rgb`."""
    for _ in range(8):
        other = dye(rng, 1)
        if np.abs(np.array(other) - rgb).max() > 0.22:
            return other
    return (0.9, 0.9, 0.88) if rgb[1] < 0.5 else (0.15, 0.15, 0.17)
