"""A small ray caster for street scenes: ground, two rows of houses, tapered boxes and tree crowns.

Everything lies in street coordinates (p along the street, y up, q across; metres), so that a street of boxes
needs no rotations: one slab test, with sides that may lean, serves cars, hedges, posts and bins.
Light is linear: sun (with cast shadows), sky and a little darkening near contacts.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from genreid.synthetic.noise import fractal_noise
from genreid.synthetic.surfaces import LEAVES, ROAD, facade_colour, ground_colour, solid_colour

_FAR_M = 1e9
_STREET_END_M = 70.0
_FOLIAGE_RGB = np.array([0.10, 0.15, 0.06])
# What a ray can meet.
_SKY, _GROUND, _LEFT_HOUSES, _RIGHT_HOUSES, _SOLID, _CROWN = range(6)


class World(NamedTuple):
    """A street as the compiled loops see it (a tuple, which they can take).

    zone_edge (Z−1,) q where one kind of ground ends; zone_kind (Z,), zone_rgb (Z, 3); walls (4,) q of the
    left row of
    houses, its height, q of the right row, its height; house_rgb (K, 3); solids (S, 8) for `hit_solid`,
    solid_kind
    (S,), solid_rgb (S, 3), solid_box (S, 4) the rows and columns [first row, last, first column, last] that
    may see
    each; crowns (C, 5) for `hit_crown`; sun (3,) towards it; sun_rgb, sky_rgb, haze_rgb (3,) linear; seed.
    """

    zone_edge: np.ndarray
    zone_kind: np.ndarray
    zone_rgb: np.ndarray
    walls: np.ndarray
    house_rgb: np.ndarray
    solids: np.ndarray
    solid_kind: np.ndarray
    solid_rgb: np.ndarray
    solid_box: np.ndarray
    crowns: np.ndarray
    sun: np.ndarray
    sun_rgb: np.ndarray
    sky_rgb: np.ndarray
    haze_rgb: np.ndarray
    seed: int


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
def hit_solid(origin: np.ndarray, ray: np.ndarray, solid: np.ndarray) -> tuple:
    """Distance at which the ray enters a tapered box, and by which side; `_FAR_M` when it misses.

    solid: [p0, p1, y0, y1, q0, q1, lean_p, lean_q]: at height y the box spans p0 + lean_p·(y−y0) to
    p1 − lean_p·(y−y0), and likewise in q. Sides: 0/1 low/high p, 2/3 bottom/top, 4/5 low/high q.
    """
    near, far, side = 1e-4, _FAR_M, -1
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
        return _FAR_M, -1
    return near, side


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
        return _FAR_M
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
    return _FAR_M


@numba.njit(cache=True, nogil=True)
def sunlit(
    point: np.ndarray, sun: np.ndarray, solids: np.ndarray, crowns: np.ndarray, walls: np.ndarray
) -> float:
    """1 where the sun reaches the point, 0 in shadow, between under leaves.

    walls: [q of the left row of houses, its height, q of the right row, its height].
    """
    for index in range(len(solids)):
        t, _ = hit_solid(point, sun, solids[index])
        if t < _FAR_M:
            return 0.0
    for k in range(2):
        if sun[2] != 0.0:
            t = (walls[2 * k] - point[2]) / sun[2]
            if t > 1e-3 and point[1] + t * sun[1] < walls[2 * k + 1]:
                return 0.0
    light = 1.0
    for index in range(len(crowns)):
        if hit_crown(point, sun, crowns[index], 41 + index) < _FAR_M:
            light *= 0.35
    return light


@numba.njit(cache=True, nogil=True)
def _contact(point: np.ndarray, solids: np.ndarray, walls: np.ndarray) -> float:
    """How much of the sky a point near the foot of things still sees (1 in the open)."""
    open_sky = 1.0
    for index in range(len(solids)):
        solid = solids[index]
        dp = max(solid[0] - point[0], point[0] - solid[1], 0.0)
        dq = max(solid[4] - point[2], point[2] - solid[5], 0.0)
        if solid[2] < 0.4 and dp + dq > 0.0:
            reach = 0.15 + 0.25 * min(1.5, solid[3])
            open_sky *= 1.0 - 0.5 * np.exp(-np.sqrt(dp * dp + dq * dq) / reach)
    for k in range(2):
        open_sky *= 1.0 - 0.35 * np.exp(-abs(walls[2 * k] - point[2]) / 0.6)
    return open_sky


@numba.njit(cache=True, nogil=True)
def _first_hit(origin: np.ndarray, ray: np.ndarray, row: int, column: int, world: World) -> tuple:
    """(distance, what the ray meets, which solid or crown, which side of the solid)."""
    best, what, index, side = _FAR_M, _SKY, -1, -1
    if ray[1] < -1e-6:
        best, what = -origin[1] / ray[1], _GROUND
    if ray[2] != 0.0:
        for k in range(2):
            t = (world.walls[2 * k] - origin[2]) / ray[2]
            if 1e-3 < t < best and origin[1] + t * ray[1] < world.walls[2 * k + 1]:
                best, what = t, _LEFT_HOUSES + k
    if ray[0] != 0.0:
        t = (np.sign(ray[0]) * _STREET_END_M - origin[0]) / ray[0]
        if 1e-3 < t < best:
            best, what = t, _SKY
    for k in range(len(world.solids)):
        box = world.solid_box[k]
        if box[0] <= row <= box[1] and box[2] <= column <= box[3]:
            t, hit_side = hit_solid(origin, ray, world.solids[k])
            if t < best:
                best, what, index, side = t, _SOLID, k, hit_side
    for k in range(len(world.crowns)):
        t = hit_crown(origin, ray, world.crowns[k], 41 + k)
        if t < best:
            best, what, index = t, _CROWN, k
    return best, what, index, side


@numba.njit(cache=True, nogil=True)
def _ground_at(point: np.ndarray, footprint: float, steepness: float, world: World) -> tuple:
    """Colour of the ground, with kerbs along roads, and its share of the sky."""
    zone = np.searchsorted(world.zone_edge, point[2])
    kind = world.zone_kind[zone]
    mean_footprint = np.sqrt(footprint * footprint / max(0.12, steepness))
    r, g, b = ground_colour(kind, point[0], point[2], mean_footprint, world.seed + zone, world.zone_rgb[zone])
    for edge in range(len(world.zone_edge)):
        if world.zone_kind[edge] != ROAD and world.zone_kind[edge + 1] != ROAD:
            continue
        gap = abs(point[2] - world.zone_edge[edge])
        if gap < 0.08:
            r, g, b = 0.36, 0.355, 0.34
        elif gap < 0.13 and kind == ROAD:
            r, g, b = 0.5 * r, 0.5 * g, 0.5 * b
    return r, g, b, _contact(point, world.solids, world.walls)


@numba.njit(cache=True, nogil=True)
def _solid_at(
    point: np.ndarray, index: int, side: int, footprint: float, normal: np.ndarray, world: World
) -> tuple:
    """Colour of a solid's face and its share of the sky; sets the normal."""
    solid, axis = world.solids[index], side // 2
    normal[axis] = 1.0 if side % 2 == 1 else -1.0
    if axis != 1:
        normal[1] = solid[6] if axis == 0 else solid[7]
    across = point[2] if axis == 0 else point[0]
    up = point[2] if axis == 1 else point[1] - solid[2]
    top = 1.0 if side == 3 else 0.0
    r, g, b = solid_colour(
        world.solid_kind[index], across, up, top, footprint, world.seed + index, world.solid_rgb[index]
    )
    return r, g, b, 1.0 if side == 3 else 0.5 + 0.35 * min(1.0, point[1] / 0.8)


@numba.njit(cache=True, nogil=True)
def _crown_at(point: np.ndarray, index: int, footprint: float, normal: np.ndarray, world: World) -> tuple:
    """Colour of foliage and its share of the sky; sets the normal."""
    for c in range(3):
        normal[c] = point[c] - world.crowns[index, c]
    size = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    for c in range(3):
        normal[c] /= size
    r, g, b = solid_colour(
        LEAVES, point[0] + point[2], point[1], 0.0, footprint, world.seed + 7, _FOLIAGE_RGB
    )
    return r, g, b, 0.45 + 0.4 * max(0.0, normal[1])


@numba.njit(cache=True, nogil=True)
def cast(
    rays: np.ndarray,
    origin: np.ndarray,
    px_angle: float,
    world: World,
    radiance: np.ndarray,
    distance: np.ndarray,
) -> None:
    """Fill `radiance` (H, W, 3, linear) and `distance` (H, W, metres along the unit ray).

    rays: (H, W, 3) unit directions [p, y, q]; px_angle: of a pixel, radians.
    """
    point, normal, colour = np.empty(3), np.empty(3), np.empty(3)
    for row in range(rays.shape[0]):
        for column in range(rays.shape[1]):
            ray = rays[row, column]
            reach, what, index, side = _first_hit(origin, ray, row, column, world)
            distance[row, column] = reach
            if what == _SKY:
                lift = min(1.0, max(0.0, 3.0 * ray[1] + 0.3))
                for c in range(3):
                    radiance[row, column, c] = world.haze_rgb[c] * (0.75 + 0.45 * lift)
                continue
            for c in range(3):
                point[c] = origin[c] + reach * ray[c]
                normal[c] = 0.0
            footprint = reach * px_angle
            if what == _GROUND:
                normal[1] = 1.0
                r, g, b, sky_share = _ground_at(point, footprint, -ray[1], world)
            elif what == _SOLID:
                r, g, b, sky_share = _solid_at(point, index, side, footprint, normal, world)
            elif what == _CROWN:
                r, g, b, sky_share = _crown_at(point, index, footprint, normal, world)
            else:
                normal[2] = 1.0 if what == _LEFT_HOUSES else -1.0
                r, g, b = facade_colour(
                    point[0], point[1], footprint, world.seed + 31 * what, world.house_rgb
                )
                sky_share = 0.55 + 0.3 * min(1.0, point[1] / 1.5)
            colour[0], colour[1], colour[2] = r, g, b
            facing = normal[0] * world.sun[0] + normal[1] * world.sun[1] + normal[2] * world.sun[2]
            light = 0.0
            if facing > 0.0 and world.sun_rgb[1] > 0.0:
                for c in range(3):
                    point[c] += 0.01 * normal[c]
                light = facing * sunlit(point, world.sun, world.solids, world.crowns, world.walls)
            sky_share *= 0.62 + 0.38 * normal[1]
            clear = np.exp(-reach / 220.0)
            for c in range(3):
                lit = colour[c] * (world.sky_rgb[c] * sky_share + world.sun_rgb[c] * light)
                radiance[row, column, c] = lit * clear + world.haze_rgb[c] * (1.0 - clear)
