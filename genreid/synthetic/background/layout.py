"""What stands in front of one camera: ground, houses, furniture, light, and where people walk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genreid.synthetic.background.furniture import Builder, furnish, park_edge
from genreid.synthetic.background.surfaces import ASPHALT, COBBLES, GRASS, ROAD, SLABS
from genreid.synthetic.camera.lens import Lens

_GROUND_RGB = {
    SLABS: (
        (0.36, 0.35, 0.33),
        (0.45, 0.40, 0.33),
        (0.28, 0.28, 0.29),
        (0.40, 0.31, 0.26),
        (0.52, 0.50, 0.46),
    ),
    ASPHALT: ((0.19, 0.19, 0.195), (0.25, 0.245, 0.24), (0.14, 0.14, 0.145)),
    COBBLES: ((0.27, 0.26, 0.25), (0.36, 0.20, 0.15), (0.42, 0.33, 0.22), (0.22, 0.22, 0.23)),
    GRASS: ((0.13, 0.19, 0.06), (0.17, 0.20, 0.08)),
    ROAD: ((0.13, 0.13, 0.135), (0.17, 0.168, 0.165)),
}
# How strong the sun can be: hidden, behind haze, low, and full.
SUNS = (0.0, 0.4, 0.85, 1.2)


class Light(NamedTuple):
    """Sun and sky, linear. `sun` (3,) points towards the sun in street coordinates."""

    sun: np.ndarray
    sun_rgb: np.ndarray
    sky_rgb: np.ndarray
    haze_rgb: np.ndarray


class Background(NamedTuple):
    """What stands in front of the camera (a tuple, which compiled loops can take).

    Attributes:
        path_q: q of the middle of the people's path.  path_half_m: half its width.
        zone_edge (Z−1,), zone_kind (Z,), zone_rgb (Z, 3): ground by q.
        walls (4,): q of the left row of houses, its height, q of the right row, its height.
        solids (S, 8), solid_kind (S,), solid_rgb (S, 3): see `rays.hit_solid`.
        crowns (C, 5): see `rays.hit_crown`.
    """

    path_q: float
    path_half_m: float
    zone_edge: np.ndarray
    zone_kind: np.ndarray
    zone_rgb: np.ndarray
    walls: np.ndarray
    solids: np.ndarray
    solid_kind: np.ndarray
    solid_rgb: np.ndarray
    crowns: np.ndarray
    light: Light
    seed: int


def sample_background(rng: np.random.Generator, lens: Lens, watched_m: float, sun: float) -> Background:
    """A background whose path crosses the middle of the picture `watched_m` metres away, under one of `SUNS`.

    Houses, hedges or a park lie behind the path, a road before it or beyond it; cars, trees and street
    furniture keep off the path itself, but may stand between it and the camera.
    """
    azimuth = np.radians(lens.azimuth_deg)
    path_q = -watched_m * np.sin(azimuth)
    away = -1.0 if path_q < 0.0 else 1.0
    if abs(path_q) < 2.0:
        away = float(rng.choice([-1.0, 1.0]))
    half = rng.uniform(0.7, 1.3)
    wall_q = path_q + away * (half + rng.uniform(0.9, 4.0))
    kerb_q = path_q - away * (half + rng.uniform(0.8, 2.2))
    opposite_q = kerb_q - away * rng.uniform(6.0, 9.0)
    builder = Builder(rng)
    furnish(builder, path_q, away, half, wall_q, kerb_q)
    paved = int(rng.choice([SLABS, SLABS, ASPHALT, COBBLES]))
    strip = int(rng.choice([paved, paved, GRASS, COBBLES]))
    kinds = [strip, paved, ROAD, SLABS]
    edges = [path_q + away * (half + 0.5), kerb_q, opposite_q]
    if away > 0:
        edges, kinds = edges[::-1], kinds[::-1]
    walls = [wall_q, rng.uniform(5.0, 9.0), opposite_q - away * rng.uniform(2.5, 4.0), rng.uniform(5.0, 9.0)]
    if rng.random() < 0.25:
        park_edge(builder, wall_q, away)
        walls[0], walls[1] = wall_q + away * 14.0, 7.0
    if walls[0] > walls[2]:
        walls = walls[2:] + walls[:2]
    return Background(
        path_q=float(path_q),
        path_half_m=float(half),
        zone_edge=np.array(edges),
        zone_kind=np.array(kinds),
        zone_rgb=np.array([_GROUND_RGB[k][rng.integers(len(_GROUND_RGB[k]))] for k in kinds]),
        walls=np.array(walls),
        solids=np.array(builder.rows).reshape(-1, 8),
        solid_kind=np.array(builder.kinds, dtype=np.int64),
        solid_rgb=np.array(builder.colours).reshape(-1, 3),
        crowns=np.array(builder.crowns).reshape(-1, 5),
        light=sample_light(rng, sun),
        seed=int(rng.integers(1 << 20)),
    )


def sample_light(rng: np.random.Generator, strength: float) -> Light:
    """Light under a sun of the given strength (one of `SUNS`)."""
    elevation, azimuth = np.radians(rng.uniform(28.0, 62.0)), rng.uniform(0.0, 2.0 * np.pi)
    sun = np.array(
        [np.cos(elevation) * np.cos(azimuth), np.sin(elevation), np.cos(elevation) * np.sin(azimuth)]
    )
    warmth = rng.uniform(0.0, 1.0)
    sun_rgb = strength * np.array([1.0 + 0.12 * warmth, 1.0, 0.94 - 0.2 * warmth])
    sky = (1.0 - 0.52 * min(1.0, strength)) * np.array([0.95, 1.0, 1.08])
    return Light(sun, sun_rgb, sky, haze_rgb=np.array([0.70, 0.76, 0.84]) * (0.75 + 0.2 * min(1.0, strength)))
