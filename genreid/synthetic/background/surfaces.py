"""What streets are made of: the colour of ground, walls and street furniture at a point.

All functions run inside the ray caster's loop. They return linear reflectance (r, g, b). `footprint` is the
width of a pixel on the surface in metres: detail finer than that is faded to its mean, so distant joints and
bricks do not shimmer.
"""

from __future__ import annotations

import numba
import numpy as np

from genreid.synthetic.noise import fractal_noise, hash01, value_noise

# Kinds of ground.
SLABS, ASPHALT, ROAD, GRASS, COBBLES = range(5)
# Kinds of solid.
PAINTED, CAR_BODY, CAR_CABIN, LEAVES, BRICKWORK, BARK, SLATS, TYRE = range(8)


@numba.njit(cache=True, nogil=True, inline="always")
def _fade(detail_m: float, footprint: float) -> float:
    """How much of a detail of this size is still seen: 1 when larger than a pixel, going to 0."""
    return min(1.0, max(0.0, 1.5 * detail_m / (footprint + 1e-6) - 0.5))


@numba.njit(cache=True, nogil=True)
def _joint(x: float, y: float, size_x: float, size_y: float, stagger: float, width: float) -> tuple:
    """Brick-like lattice: (row, column) of the cell and whether the point lies in the joint."""
    row = np.floor(y / size_y)
    x = x + stagger * size_x * (row - 2.0 * np.floor(row / 2.0))
    column = np.floor(x / size_x)
    dx = min(x - column * size_x, (column + 1.0) * size_x - x)
    dy = min(y - row * size_y, (row + 1.0) * size_y - y)
    return int(row), int(column), min(dx, dy) < 0.5 * width


@numba.njit(cache=True, nogil=True)
def _lattice_tone(
    x: float,
    y: float,
    size_x: float,
    size_y: float,
    stagger: float,
    width: float,
    spread: float,
    footprint: float,
    seed: int,
) -> float:
    """Tone of a slab, brick or cobble: each one a little different, its joint darker."""
    row, column, in_joint = _joint(x, y, size_x, size_y, stagger, max(width, 0.8 * footprint))
    visible = _fade(min(size_x, size_y), footprint)
    tone = 1.0 + spread * (hash01(row, column, seed) - 0.5) * visible
    if in_joint:
        coverage = min(1.0, width / max(width, 0.8 * footprint))
        tone *= 1.0 - 0.42 * visible * coverage
    return tone


@numba.njit(cache=True, nogil=True)
def ground_colour(kind: int, p: float, q: float, footprint: float, seed: int, base: np.ndarray) -> tuple:
    """Colour of the ground at p metres along and q metres across the street."""
    stain = 0.76 + 0.48 * fractal_noise(0.45 * p, 0.45 * q, seed + 3, 4)
    grain = 1.0 + 0.25 * (value_noise(p * 55.0, q * 55.0, seed + 9) - 0.5) * _fade(0.02, footprint)
    tone = stain * grain
    r, g, b = base[0], base[1], base[2]
    if kind == SLABS:
        size = 0.4 + 0.3 * hash01(1, 2, seed)
        tone *= _lattice_tone(p, q, 1.5 * size, size, 0.5, 0.012, 0.18, footprint, seed)
    elif kind == COBBLES:
        tone *= _lattice_tone(p, q, 0.2, 0.1, 0.5, 0.012, 0.34, footprint, seed)
    elif kind == GRASS:
        blade = value_noise(p * 18.0, q * 18.0, seed + 5)
        tone *= 0.55 + 0.9 * (0.5 + (blade - 0.5) * _fade(0.06, footprint))
        dry = fractal_noise(0.8 * p, 0.8 * q, seed + 6, 3)
        r, g = r * (0.8 + 0.7 * dry), g * (0.9 + 0.2 * dry)
    else:
        patch = hash01(int(np.floor(p / 3.1)), int(np.floor(q / 1.7)), seed + 8)
        tone *= 0.86 if patch > 0.86 else 1.0
        crack = abs(fractal_noise(0.9 * p, 0.9 * q, seed + 4, 3) - 0.5)
        tone *= 1.0 - 0.25 * max(0.0, 1.0 - crack / 0.008) * _fade(0.03, footprint)
    return r * tone, g * tone, b * tone


@numba.njit(cache=True, nogil=True)
def _glass(x: float, y: float, seed: int) -> tuple:
    """A pane seen from outside: dark, with a dull reflection and here and there something behind it."""
    sheen = fractal_noise(0.7 * x + 0.3 * y, 0.5 * y, seed, 3)
    inside = hash01(int(np.floor(2.2 * x)), int(np.floor(1.6 * y)), seed + 1)
    level = 0.035 + 0.16 * max(0.0, sheen - 0.38)
    warm = 0.10 if inside > 0.84 else 0.0
    return level + warm, level * 1.08 + 0.8 * warm, level * 1.2 + 0.5 * warm


@numba.njit(cache=True, nogil=True)
def _shop_front(x: float, y: float, bay: float, seed: int, accent: np.ndarray) -> tuple:
    """Ground floor of a shop: glass between frames, a plinth and a sign board above."""
    cell = x - np.floor(x / bay) * bay
    index = int(np.floor(x / bay))
    if y < 0.35:
        return 0.10, 0.10, 0.10
    if y > 2.75:
        letter = hash01(int(np.floor(x * 4.5)), 3, seed)
        on = 0.18 < y - 2.75 < 0.5 and letter > 0.45 and 0.15 * bay < cell < 0.85 * bay
        if on:
            return 0.75, 0.74, 0.7
        return accent[0], accent[1], accent[2]
    if cell < 0.09 or abs(cell - 0.5 * bay) < 0.04 or y > 2.65:
        return 0.16, 0.16, 0.17
    r, g, b = _glass(x, y, seed + index)
    poster = hash01(index, 7, seed) > 0.55 and 0.15 * bay < cell < 0.42 * bay and 1.0 < y < 2.0
    if poster:
        tint = hash01(index, 8, seed)
        return 0.25 + 0.4 * tint, 0.3, 0.6 - 0.4 * tint
    return r, g, b


@numba.njit(cache=True, nogil=True)
def facade_colour(p: float, y: float, footprint: float, seed: int, palette: np.ndarray) -> tuple:
    """Colour of a row of houses at p metres along the street and y metres up."""
    plot = np.floor(p / 9.0 + 0.3 * hash01(5, 5, seed))
    house = int(plot)
    style = hash01(house, 1, seed)
    base = palette[int(hash01(house, 2, seed) * len(palette))]
    accent = palette[int(hash01(house, 4, seed) * len(palette))] * 0.45
    bay = 2.2 + 1.6 * hash01(house, 3, seed)
    if style < 0.36 and y < 3.35:
        return _shop_front(p, y, bay, seed + house, accent)
    dirt = 0.8 + 0.4 * fractal_noise(0.5 * p, 0.35 * y, seed + 2, 4)
    streak = 1.0 - 0.18 * max(0.0, value_noise(3.0 * p, 0.25 * y, seed + 6) - 0.6) * 2.5
    tone = dirt * streak
    cell = p - np.floor(p / bay) * bay
    index = int(np.floor(p / bay))
    storey = y - 3.0 * np.floor(y / 3.0)
    half = 0.5 * (0.9 + 0.5 * hash01(house, 6, seed))
    offset = abs(cell - 0.5 * bay)
    door = y < 2.25 and hash01(index, 9, seed) > 0.72
    if door and offset < 0.52:
        panel = 1.0 if offset < 0.44 and y < 2.15 else 0.5
        return accent[0] * panel + 0.02, accent[1] * panel + 0.02, accent[2] * panel + 0.02
    blind = y < 3.0 and style > 0.8
    if not blind and offset < half and 1.0 < storey < 2.45:
        framed = offset > half - 0.07 or offset < 0.035 or storey < 1.07 or storey > 2.38
        if framed:
            return 0.42, 0.41, 0.4
        return _glass(p, y, seed + index)
    if not blind and offset < half + 0.1 and 0.9 < storey < 1.0:
        return 0.4, 0.4, 0.39
    if y < 0.45:
        return 0.22 * tone, 0.215 * tone, 0.21 * tone
    if style > 0.62:
        tone *= _lattice_tone(p, y, 0.24, 0.08, 0.5, 0.012, 0.4, footprint, seed)
        return 0.31 * tone, 0.17 * tone, 0.125 * tone
    if style > 0.5:
        tone *= _lattice_tone(p, y, 1.2, 0.6, 0.0, 0.015, 0.1, footprint, seed)
    return base[0] * tone, base[1] * tone, base[2] * tone


@numba.njit(cache=True, nogil=True)
def solid_colour(
    kind: int, x: float, y: float, top: float, footprint: float, seed: int, base: np.ndarray
) -> tuple:
    """Colour of a solid's face: x along the face, y above its foot, `top` > 0.5 on upward faces (metres)."""
    tone = 0.86 + 0.28 * fractal_noise(1.3 * x, 1.3 * y, seed, 3)
    r, g, b = base[0], base[1], base[2]
    if kind == LEAVES:
        clump = fractal_noise(4.0 * x, 4.0 * y, seed, 2)
        leaf = value_noise(16.0 * x, 16.0 * y, seed + 1)
        tone = 0.30 + 1.1 * clump + 0.75 * (leaf - 0.5) * _fade(0.05, footprint)
        r, g = r * (0.8 + 0.4 * clump), g * (0.9 + 0.2 * clump)
    elif kind == CAR_BODY:
        if abs(y - 0.42) < 0.02 and top < 0.5:
            tone *= 0.6
        tone *= 0.72 + 0.5 * min(1.0, max(0.0, y / 0.6))
    elif kind == CAR_CABIN:
        if top < 0.5 and y < 0.44:
            r, g, b = 0.035, 0.042, 0.05
            tone = 0.7 + 1.8 * max(0.0, fractal_noise(1.1 * x, 2.0 * y, seed, 2) - 0.4)
    elif kind == BRICKWORK:
        tone *= _lattice_tone(x, y, 0.24, 0.08, 0.5, 0.012, 0.4, footprint, seed)
    elif kind == BARK:
        tone *= 0.6 + 0.8 * value_noise(14.0 * x, 2.5 * y, seed)
    elif kind == SLATS:
        across = y / 0.12 - np.floor(y / 0.12)
        tone *= 1.0 - 0.6 * (1.0 if across < 0.15 else 0.0) * _fade(0.02, footprint)
    return r * tone, g * tone, b * tone
