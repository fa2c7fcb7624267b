"""A small ray caster for backgrounds: what every pixel of a camera sees, and in which light.

Light is linear: sun (with cast shadows), sky and a little darkening near contacts.
"""

from __future__ import annotations

import numba
import numpy as np

from genreid.synthetic.background.layout import Background
from genreid.synthetic.background.rays import FAR_M, hit_crown, hit_solid, sunlit
from genreid.synthetic.background.surfaces import LEAVES, ROAD, facade_colour, ground_colour, solid_colour

_END_M = 70.0
_HOUSE_RGB = np.array([
    (0.48, 0.44, 0.37), (0.55, 0.52, 0.46), (0.40, 0.37, 0.34), (0.52, 0.44, 0.33), (0.36, 0.37, 0.38),
    (0.46, 0.36, 0.29), (0.58, 0.55, 0.50), (0.33, 0.36, 0.35), (0.42, 0.27, 0.21), (0.29, 0.33, 0.39),
])  # fmt: skip
_FOLIAGE_RGB = np.array([0.10, 0.15, 0.06])
# What a ray can meet.
_SKY, _GROUND, _LEFT_HOUSES, _RIGHT_HOUSES, _SOLID, _CROWN = range(6)


@numba.njit(cache=True, nogil=True)
def cast(
    rays: np.ndarray,
    origin: np.ndarray,
    px_angle: float,
    background: Background,
    boxes: np.ndarray,
    radiance: np.ndarray,
    distance: np.ndarray,
) -> None:
    """Fill `radiance` (H, W, 3, linear) and `distance` (H, W, metres along the unit ray).

    rays: (H, W, 3) unit directions [p, y, q]; px_angle: of a pixel, radians; boxes: (S, 4) rows and
    columns [first row, last, first column, last] that may see each solid.
    """
    light = background.light
    point, normal, colour = np.empty(3), np.empty(3), np.empty(3)
    for row in range(rays.shape[0]):
        for column in range(rays.shape[1]):
            ray = rays[row, column]
            reach, what, index, side = _first_hit(origin, ray, row, column, background, boxes)
            distance[row, column] = reach
            if what == _SKY:
                lift = min(1.0, max(0.0, 3.0 * ray[1] + 0.3))
                for c in range(3):
                    radiance[row, column, c] = light.haze_rgb[c] * (0.75 + 0.45 * lift)
                continue
            for c in range(3):
                point[c] = origin[c] + reach * ray[c]
                normal[c] = 0.0
            footprint = reach * px_angle
            if what == _GROUND:
                normal[1] = 1.0
                r, g, b, sky_share = _ground_at(point, footprint, -ray[1], background)
            elif what == _SOLID:
                r, g, b, sky_share = _solid_at(point, index, side, footprint, normal, background)
            elif what == _CROWN:
                r, g, b, sky_share = _crown_at(point, index, footprint, normal, background)
            else:
                normal[2] = 1.0 if what == _LEFT_HOUSES else -1.0
                r, g, b = facade_colour(
                    point[0], point[1], footprint, background.seed + 31 * what, _HOUSE_RGB
                )
                sky_share = 0.55 + 0.3 * min(1.0, point[1] / 1.5)
            colour[0], colour[1], colour[2] = r, g, b
            facing = normal[0] * light.sun[0] + normal[1] * light.sun[1] + normal[2] * light.sun[2]
            direct = 0.0
            if facing > 0.0 and light.sun_rgb[1] > 0.0:
                for c in range(3):
                    point[c] += 0.01 * normal[c]
                direct = facing * sunlit(
                    point, light.sun, background.solids, background.crowns, background.walls
                )
            sky_share *= 0.62 + 0.38 * normal[1]
            clear = np.exp(-reach / 220.0)
            for c in range(3):
                lit = colour[c] * (light.sky_rgb[c] * sky_share + light.sun_rgb[c] * direct)
                radiance[row, column, c] = lit * clear + light.haze_rgb[c] * (1.0 - clear)


@numba.njit(cache=True, nogil=True)
def _first_hit(
    origin: np.ndarray, ray: np.ndarray, row: int, column: int, background: Background, boxes: np.ndarray
) -> tuple:
    """(distance, what the ray meets, which solid or crown, which side of the solid)."""
    best, what, index, side = FAR_M, _SKY, -1, -1
    if ray[1] < -1e-6:
        best, what = -origin[1] / ray[1], _GROUND
    if ray[2] != 0.0:
        for k in range(2):
            t = (background.walls[2 * k] - origin[2]) / ray[2]
            if 1e-3 < t < best and origin[1] + t * ray[1] < background.walls[2 * k + 1]:
                best, what = t, _LEFT_HOUSES + k
    if ray[0] != 0.0:
        t = (np.sign(ray[0]) * _END_M - origin[0]) / ray[0]
        if 1e-3 < t < best:
            best, what = t, _SKY
    for k in range(len(background.solids)):
        box = boxes[k]
        if box[0] <= row <= box[1] and box[2] <= column <= box[3]:
            t, hit_side = hit_solid(origin, ray, background.solids[k])
            if t < best:
                best, what, index, side = t, _SOLID, k, hit_side
    for k in range(len(background.crowns)):
        t = hit_crown(origin, ray, background.crowns[k], 41 + k)
        if t < best:
            best, what, index = t, _CROWN, k
    return best, what, index, side


@numba.njit(cache=True, nogil=True)
def _ground_at(point: np.ndarray, footprint: float, steepness: float, background: Background) -> tuple:
    """Colour of the ground, with kerbs along roads, and its share of the sky."""
    zone = np.searchsorted(background.zone_edge, point[2])
    kind = background.zone_kind[zone]
    mean_footprint = np.sqrt(footprint * footprint / max(0.12, steepness))
    r, g, b = ground_colour(
        kind, point[0], point[2], mean_footprint, background.seed + zone, background.zone_rgb[zone]
    )
    for edge in range(len(background.zone_edge)):
        if background.zone_kind[edge] != ROAD and background.zone_kind[edge + 1] != ROAD:
            continue
        gap = abs(point[2] - background.zone_edge[edge])
        if gap < 0.08:
            r, g, b = 0.36, 0.355, 0.34
        elif gap < 0.13 and kind == ROAD:
            r, g, b = 0.5 * r, 0.5 * g, 0.5 * b
    return r, g, b, _contact(point, background.solids, background.walls)


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
def _solid_at(
    point: np.ndarray, index: int, side: int, footprint: float, normal: np.ndarray, background: Background
) -> tuple:
    """Colour of a solid's face and its share of the sky; sets the normal."""
    solid, axis = background.solids[index], side // 2
    normal[axis] = 1.0 if side % 2 == 1 else -1.0
    if axis != 1:
        normal[1] = solid[6] if axis == 0 else solid[7]
    across = point[2] if axis == 0 else point[0]
    up = point[2] if axis == 1 else point[1] - solid[2]
    top = 1.0 if side == 3 else 0.0
    r, g, b = solid_colour(
        background.solid_kind[index],
        across,
        up,
        top,
        footprint,
        background.seed + index,
        background.solid_rgb[index],
    )
    return r, g, b, 1.0 if side == 3 else 0.5 + 0.35 * min(1.0, point[1] / 0.8)


@numba.njit(cache=True, nogil=True)
def _crown_at(
    point: np.ndarray, index: int, footprint: float, normal: np.ndarray, background: Background
) -> tuple:
    """Colour of foliage and its share of the sky; sets the normal."""
    for c in range(3):
        normal[c] = point[c] - background.crowns[index, c]
    size = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    for c in range(3):
        normal[c] /= size
    r, g, b = solid_colour(
        LEAVES, point[0] + point[2], point[1], 0.0, footprint, background.seed + 7, _FOLIAGE_RGB
    )
    return r, g, b, 0.45 + 0.4 * max(0.0, normal[1])
