"""Where rays meet things, and what sunlight reaches: rows of houses, tapered boxes and tree crowns.

Everything lies in street coordinates (p along the street, y up, q across; metres), so that a street of boxes
needs no rotations: one slab test, with sides that may lean, serves cars, hedges, posts and bins.
"""

from __future__ import annotations

import numba
import numpy as np

from genreid.synthetic.noise import fractal_noise

FAR_M = 1e9


@numba.njit(cache=True, nogil=True)
def hit_solid(origin: np.ndarray, ray: np.ndarray, solid: np.ndarray) -> tuple:
    """Distance at which the ray enters a tapered box, and by which side; `FAR_M` when it misses.

    solid: [p0, p1, y0, y1, q0, q1, lean_p, lean_q]: at height y the box spans p0 + lean_p·(y−y0) to
    p1 − lean_p·(y−y0), and likewise in q. Sides: 0/1 low/high p, 2/3 bottom/top, 4/5 low/high q.
    """
    near, far, side = 1e-4, FAR_M, -1
    rise, climb = origin[1] - solid[2], ray[1]
    near, far, side = _clip(rise, climb, near, far, 2, side)
    near, far, side = _clip(solid[3] - origin[1], -climb, near, far, 3, side)
    near, far, side = _clip(
        origin[0] - solid[0] - solid[6] * rise, ray[0] - solid[6] * climb, near, far, 0, side
    )
    near, far, side = _clip(
        solid[1] - origin[0] - solid[6] * rise, -ray[0] - solid[6] * climb, near, far, 1, side
    )
    near, far, side = _clip(
        origin[2] - solid[4] - solid[7] * rise, ray[2] - solid[7] * climb, near, far, 4, side
    )
    near, far, side = _clip(
        solid[5] - origin[2] - solid[7] * rise, -ray[2] - solid[7] * climb, near, far, 5, side
    )
    if side < 0 or near >= far:
        return FAR_M, -1
    return near, side


@numba.njit(cache=True, nogil=True)
def _clip(offset: float, slope: float, near: float, far: float, side: int, hit_side: int) -> tuple:
    """Narrow the ray's span [near, far] to offset + t·slope >= 0; remember which side it came in by."""
    if slope == 0.0:
        if offset < 0.0:
            far = -1.0
        return near, far, hit_side
    t = -offset / slope
    if slope > 0.0:
        if t > near:
            return t, far, side
    elif t < far:
        far = t
    return near, far, hit_side


@numba.njit(cache=True, nogil=True)
def hit_crown(origin: np.ndarray, ray: np.ndarray, crown: np.ndarray, seed: int) -> float:
    """Distance to a tree crown, an ellipsoid [p, y, q, radius_pq, radius_y] eaten away by noise."""
    op, oy, oq = origin[0] - crown[0], (origin[1] - crown[1]) * crown[3] / crown[4], origin[2] - crown[2]
    dy = ray[1] * crown[3] / crown[4]
    a = ray[0] * ray[0] + dy * dy + ray[2] * ray[2]
    b = op * ray[0] + oy * dy + oq * ray[2]
    c = op * op + oy * oy + oq * oq - crown[3] * crown[3]
    root = b * b - a * c
    if root <= 0.0:
        return FAR_M
    root = np.sqrt(root)
    rim = 1.0 - root * root / (a * crown[3] * crown[3])
    for t in ((-b - root) / a, (-b + root) / a):
        if t > 1e-3:
            x, y = (
                7.0 * (origin[0] + t * ray[0]),
                7.0 * (origin[1] + t * ray[1] + 0.7 * (origin[2] + t * ray[2])),
            )
            if fractal_noise(x, y, seed, 2) > 0.36 + 0.26 * rim:
                return t
    return FAR_M


@numba.njit(cache=True, nogil=True)
def sunlit(
    point: np.ndarray, sun: np.ndarray, solids: np.ndarray, crowns: np.ndarray, walls: np.ndarray
) -> float:
    """1 where the sun reaches the point, 0 in shadow, between under leaves.

    walls: [q of the left row of houses, its height, q of the right row, its height].
    """
    for index in range(len(solids)):
        t, _ = hit_solid(point, sun, solids[index])
        if t < FAR_M:
            return 0.0
    for k in range(2):
        if sun[2] != 0.0:
            t = (walls[2 * k] - point[2]) / sun[2]
            if t > 1e-3 and point[1] + t * sun[1] < walls[2 * k + 1]:
                return 0.0
    light = 1.0
    for index in range(len(crowns)):
        if hit_crown(point, sun, crowns[index], 41 + index) < FAR_M:
            light *= 0.35
    return light
