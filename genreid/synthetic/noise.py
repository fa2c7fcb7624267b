"""Procedural noise, evaluated point by point inside compiled loops.

Hash-based value noise has no tables and no state: the value at a point depends on the point and the seed
alone, so a piece of a picture can be drawn again without the rest.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, inline="always")
def hash01(i: int, j: int, k: int) -> float:
    """A number in [0, 1) for a lattice cell, alike on every machine."""
    h = (np.uint32(i) * np.uint32(0x8DA6B343)) ^ (np.uint32(j) * np.uint32(0xD8163841))
    h = np.uint32(h ^ (np.uint32(k) * np.uint32(0xCB1AB31F)))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
    h = np.uint32((h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    return np.float64(h) / 4294967296.0


@numba.njit(cache=True, nogil=True)
def value_noise(x: float, y: float, seed: int) -> float:
    """Smooth noise in [0, 1] with features about one unit wide."""
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - i, y - j
    u, v = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v)
    top = hash01(i, j, seed) * (1.0 - u) + hash01(i + 1, j, seed) * u
    bottom = hash01(i, j + 1, seed) * (1.0 - u) + hash01(i + 1, j + 1, seed) * u
    return top * (1.0 - v) + bottom * v


@numba.njit(cache=True, nogil=True)
def fractal_noise(x: float, y: float, seed: int, num_octaves: int) -> float:
    """Sum of octaves of value noise, scaled to about [0, 1] with mean 0.5."""
    total, weight, norm = 0.0, 0.5, 0.0
    for octave in range(num_octaves):
        total += weight * value_noise(x, y, seed + 17 * octave)
        norm += weight
        weight *= 0.5
        x, y = 2.03 * x + 5.1, 2.03 * y + 1.7
    return total / norm


@numba.njit(cache=True, nogil=True)
def noise_field(height: int, width: int, cell_px: float, seed: int, num_octaves: int) -> np.ndarray:
    """(height, width) float32 picture of `fractal_noise` whose coarsest features are `cell_px` wide."""
    field = np.empty((height, width), dtype=np.float32)
    for row in range(height):
        for column in range(width):
            field[row, column] = fractal_noise(column / cell_px, row / cell_px, seed, num_octaves)
    return field
