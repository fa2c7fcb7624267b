"""A street in front of one surveillance camera: layout, the empty picture of it, and where people walk.

Street coordinates are metres [p along, y up, q across] with the camera above the origin. The camera looks
`azimuth_deg` away from the street's direction, so people who walk along the street show it mostly two
headings: that is what gives each camera its viewpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.synthetic.raycast import World, cast
from genreid.synthetic.surfaces import (
    ASPHALT,
    BARK,
    BRICKWORK,
    CAR_BODY,
    CAR_CABIN,
    COBBLES,
    GRASS,
    LEAVES,
    PAINTED,
    ROAD,
    SLABS,
    SLATS,
    TYRE,
)

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
_HOUSE_RGB = np.array(
    [
        (0.48, 0.44, 0.37),
        (0.55, 0.52, 0.46),
        (0.40, 0.37, 0.34),
        (0.52, 0.44, 0.33),
        (0.36, 0.37, 0.38),
        (0.46, 0.36, 0.29),
        (0.58, 0.55, 0.50),
        (0.33, 0.36, 0.35),
        (0.42, 0.27, 0.21),
        (0.29, 0.33, 0.39),
    ]
)
_CAR_RGB = (
    (0.45, 0.45, 0.46),
    (0.62, 0.62, 0.62),
    (0.06, 0.06, 0.065),
    (0.16, 0.17, 0.18),
    (0.05, 0.08, 0.20),
    (0.34, 0.05, 0.05),
    (0.10, 0.13, 0.12),
    (0.50, 0.47, 0.40),
    (0.07, 0.16, 0.30),
)


@dataclass(frozen=True)
class Lens:
    """Where the camera hangs and how it looks.

    Attributes:
        azimuth_deg: angle from the street's direction to the viewing direction.
        height_m: above the ground.  tilt_deg: downwards.  focal_px: at the plate's size.
        height_px, width_px: size of the plate.
    """

    azimuth_deg: float
    height_m: float
    tilt_deg: float
    focal_px: float
    height_px: int
    width_px: int

    def axes(self) -> np.ndarray:
        """(3, 3): right, down and forward of the camera as rows, in street coordinates."""
        azimuth, tilt = np.radians(self.azimuth_deg), np.radians(self.tilt_deg)
        ahead = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
        right = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
        up = np.array([0.0, 1.0, 0.0])
        return np.stack(
            [right, -np.cos(tilt) * up - np.sin(tilt) * ahead, np.cos(tilt) * ahead - np.sin(tilt) * up]
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) street points to (N, 3) [u_px, v_px, metres in front of the lens]."""
        seen = (points - [0.0, self.height_m, 0.0]) @ self.axes().T
        centre = np.array([self.width_px / 2.0, self.height_px / 2.0])
        return np.column_stack([centre + self.focal_px * seen[:, :2] / seen[:, 2:], seen[:, 2]])

    def rays(self) -> np.ndarray:
        """(H, W, 3) unit directions of the pixels' centres, in street coordinates."""
        u = (np.arange(self.width_px) + 0.5 - self.width_px / 2.0) / self.focal_px
        v = (np.arange(self.height_px) + 0.5 - self.height_px / 2.0) / self.focal_px
        right, down, forward = self.axes()
        rays = u[None, :, None] * right + v[:, None, None] * down + forward
        return rays / np.linalg.norm(rays, axis=2, keepdims=True)


@dataclass(frozen=True)
class Light:
    """Sun and sky, linear. `sun` (3,) points towards the sun in street coordinates."""

    sun: np.ndarray
    sun_rgb: np.ndarray
    sky_rgb: np.ndarray
    haze_rgb: np.ndarray


@dataclass(frozen=True)
class Street:
    """What stands in front of the camera.

    Attributes:
        path_q: q of the middle of the people's path.  path_half_m: half its width.
        zone_edge (Z−1,), zone_kind (Z,), zone_rgb (Z, 3): ground by q.
        walls (4,): q and height of the rows of houses at low and at high q.
        solids (S, 8), solid_kind (S,), solid_rgb (S, 3): see `raycast.hit_solid`.
        crowns (C, 5): see `raycast.hit_crown`.
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


@dataclass(frozen=True)
class Plate:
    """The street without people: `image` (H, W, 3) uint8, the square root of linear light, and
    `distance` (H, W) float32, metres from the lens."""

    image: np.ndarray
    distance: np.ndarray


def sample_lens(
    rng: np.random.Generator, azimuth_deg: float, height_px: int, width_px: int
) -> tuple[Lens, float]:
    """A camera on a wall or a pole, and the distance in metres that it watches."""
    watched_m = rng.uniform(6.0, 9.5)
    height_m = rng.uniform(2.3, 3.8)
    tilt_deg = np.degrees(np.arctan2(height_m - 1.0, watched_m)) + rng.uniform(-2.0, 2.0)
    focal_px = height_px * rng.uniform(1.05, 1.5)
    return Lens(azimuth_deg, height_m, float(tilt_deg), float(focal_px), height_px, width_px), watched_m


# How strong the sun can be: hidden, behind haze, low, and full.
SUNS = (0.0, 0.4, 0.85, 1.2)


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


class _Builder:
    """Collects solids and crowns while a street is laid out."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.rows: list[tuple[float, ...]] = []
        self.kinds: list[int] = []
        self.colours: list[tuple[float, ...]] = []
        self.crowns: list[tuple[float, ...]] = []

    def box(
        self,
        p: float,
        q: float,
        size: tuple[float, float, float],
        kind: int,
        rgb: tuple[float, ...],
        foot: float = 0.0,
        lean: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """A box of size (along, up, across) centred on (p, q), standing `foot` metres above the ground."""
        along, up, across = size
        self.rows.append(
            (p - along / 2, p + along / 2, foot, foot + up, q - across / 2, q + across / 2, *lean)
        )
        self.kinds.append(kind)
        self.colours.append(tuple(rgb))

    def car(self, p: float, q: float) -> None:
        rgb = _CAR_RGB[self.rng.integers(len(_CAR_RGB))]
        length, width = self.rng.uniform(3.8, 4.7), self.rng.uniform(1.65, 1.85)
        tall = self.rng.uniform(0.5, 0.62)
        self.box(p, q, (length, 0.62, width), CAR_BODY, rgb, foot=0.25, lean=(0.10, 0.04))
        shift = self.rng.uniform(-0.35, 0.35)
        self.box(
            p + shift, q, (0.68 * length, tall, width - 0.1), CAR_CABIN, rgb, foot=0.87, lean=(0.75, 0.28)
        )
        for end in (-0.32, 0.32):
            self.box(
                p + end * length, q, (0.6, 0.56, width + 0.02), TYRE, (0.025, 0.025, 0.027), lean=(0.04, 0.0)
            )

    def tree(self, p: float, q: float) -> None:
        trunk = self.rng.uniform(0.18, 0.32)
        self.box(p, q, (trunk, 3.4, trunk), BARK, (0.14, 0.11, 0.085), lean=(0.01, 0.01))
        radius = self.rng.uniform(1.2, 2.0)
        self.crowns.append((p, 3.1 + radius * 0.8, q, radius, radius * self.rng.uniform(0.8, 1.1)))

    def furniture(self, p: float, q: float) -> None:
        """Something that stands on pavements."""
        kind = self.rng.integers(6)
        grey = float(self.rng.uniform(0.05, 0.3))
        if kind == 0:
            self.box(p, q, (0.14, 0.95, 0.14), PAINTED, (grey, grey, grey))
        elif kind == 1:
            green = self.rng.random() < 0.5
            rgb = (0.05, 0.13, 0.07) if green else (grey, grey, 0.9 * grey)
            self.box(p, q, (0.5, 1.05, 0.5), PAINTED, rgb, lean=(-0.03, -0.03))
        elif kind == 2:
            self.box(p, q, (0.12, 5.0, 0.12), PAINTED, (0.12, 0.13, 0.13))
            self.box(p, q, (0.26, 0.5, 0.26), PAINTED, (0.10, 0.11, 0.11), lean=(0.12, 0.12))
        elif kind == 3:
            self.box(p, q, (1.7, 0.1, 0.45), SLATS, (0.24, 0.15, 0.08), foot=0.4)
            self.box(p, q + 0.2, (1.7, 0.4, 0.06), SLATS, (0.24, 0.15, 0.08), foot=0.5)
            self.box(p - 0.7, q, (0.08, 0.4, 0.4), PAINTED, (0.05, 0.05, 0.05))
            self.box(p + 0.7, q, (0.08, 0.4, 0.4), PAINTED, (0.05, 0.05, 0.05))
        elif kind == 4:
            self.box(p, q, (1.1, 0.5, 0.6), PAINTED, (0.3, 0.28, 0.26), lean=(-0.06, -0.06))
            self.box(p, q, (1.15, 0.5, 0.7), LEAVES, (0.12, 0.18, 0.07), foot=0.5, lean=(0.1, 0.1))
        else:
            self.box(p, q, (0.75, 1.25, 0.35), PAINTED, (0.26, 0.28, 0.27))


def sample_street(rng: np.random.Generator, lens: Lens, watched_m: float, sun: float) -> Street:
    """A street whose path crosses the middle of the picture `watched_m` metres away, under a sun of `SUNS`.

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
    builder = _Builder(rng)
    _furnish(builder, path_q, away, half, wall_q, kerb_q)
    paved = int(rng.choice([SLABS, SLABS, ASPHALT, COBBLES]))
    strip = int(rng.choice([paved, paved, GRASS, COBBLES]))
    kinds = [strip, paved, ROAD, SLABS]
    edges = [path_q + away * (half + 0.5), kerb_q, opposite_q]
    if away < 0:
        order = np.argsort(edges)
        edges, kinds = [edges[k] for k in order], kinds if edges[0] < edges[-1] else kinds[::-1]
    else:
        edges, kinds = edges[::-1], kinds[::-1]
    walls = [wall_q, rng.uniform(5.0, 9.0), opposite_q - away * rng.uniform(2.5, 4.0), rng.uniform(5.0, 9.0)]
    if rng.random() < 0.25:
        _park_edge(builder, wall_q, away)
        walls[0], walls[1] = wall_q + away * 14.0, 7.0
    if walls[0] > walls[2]:
        walls = walls[2:] + walls[:2]
    return Street(
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


def _park_edge(builder: _Builder, wall_q: float, away: float) -> None:
    """A hedge or a low wall, with trees behind, instead of houses."""
    rng = builder.rng
    if rng.random() < 0.6:
        tall = rng.uniform(0.9, 2.0)
        builder.box(0.0, wall_q + away * 0.5, (90.0, tall, 0.9), LEAVES, (0.10, 0.15, 0.06), lean=(0.0, 0.06))
    else:
        builder.box(
            0.0, wall_q + away * 0.3, (90.0, rng.uniform(0.6, 1.4), 0.35), BRICKWORK, (0.3, 0.2, 0.15)
        )
    for p in np.arange(-14.0, 26.0, rng.uniform(4.0, 6.5)):
        builder.tree(p + rng.uniform(-1, 1), wall_q + away * rng.uniform(2.0, 5.0))


def _furnish(
    builder: _Builder, path_q: float, away: float, half: float, wall_q: float, kerb_q: float
) -> None:
    """Parked cars beyond the kerb, trees and furniture along it, things against the wall."""
    rng = builder.rng

    # The camera is above (0, 0): nothing may stand right in front of it.
    def clear(p: float, q: float) -> bool:
        return p * p + q * q > 2.2**2

    if rng.random() < 0.75:
        p = -16.0 + rng.uniform(0.0, 4.0)
        while p < 34.0:
            q = kerb_q - away * rng.uniform(1.05, 1.25)
            if rng.random() < 0.62 and p * p + q * q > 4.0**2:
                builder.car(p, q)
            p += rng.uniform(5.0, 6.2)
    for p in np.arange(-10.0, 26.0, rng.uniform(3.2, 6.0)):
        p, q = p + rng.uniform(-1.0, 1.0), kerb_q + away * rng.uniform(0.2, 0.45)
        if not clear(p, q):
            continue
        draw = rng.random()
        if draw < 0.25 and p * p + q * q > 5.0**2:
            builder.tree(p, q)
        elif draw < 0.75:
            builder.furniture(p, q)
    for p in np.arange(-10.0, 26.0, rng.uniform(4.0, 8.0)):
        if rng.random() < 0.45 and abs(wall_q - path_q) > half + 0.8:
            builder.furniture(p + rng.uniform(-1.5, 1.5), wall_q - away * 0.4)


def render_plate(street: Street, lens: Lens) -> Plate:
    """The empty street as the camera sees it, before the sensor has its say."""
    shape = (lens.height_px, lens.width_px)
    radiance, distance = np.zeros((*shape, 3)), np.zeros(shape)
    light = street.light
    world = World(
        street.zone_edge,
        street.zone_kind,
        street.zone_rgb,
        street.walls,
        _HOUSE_RGB,
        street.solids,
        street.solid_kind,
        street.solid_rgb,
        _seen_boxes(street.solids, lens),
        street.crowns,
        light.sun,
        light.sun_rgb,
        light.sky_rgb,
        light.haze_rgb,
        street.seed,
    )
    cast(lens.rays(), np.array([0.0, lens.height_m, 0.0]), 1.0 / lens.focal_px, world, radiance, distance)
    image = np.sqrt(np.clip(radiance, 0.0, 1.0)) * 255.0
    return Plate(image=np.rint(image).astype(np.uint8), distance=distance.astype(np.float32))


def _seen_boxes(solids: np.ndarray, lens: Lens) -> np.ndarray:
    """(S, 4) rows and columns [first row, last, first column, last] of the plate that may see each solid."""
    boxes = np.tile([0, lens.height_px, 0, lens.width_px], (len(solids), 1))
    for index, (p0, p1, y0, y1, q0, q1, lean_p, lean_q) in enumerate(solids):
        # A solid that widens upwards is wider than its foot.
        grow_p, grow_q = max(0.0, -lean_p) * (y1 - y0), max(0.0, -lean_q) * (y1 - y0)
        p, y, q = np.meshgrid([p0 - grow_p, p1 + grow_p], [y0, y1], [q0 - grow_q, q1 + grow_q])
        seen = lens.project(np.stack([p.ravel(), y.ravel(), q.ravel()], axis=1))
        if (seen[:, 2] > 0.05).all():
            (left, top), (right, bottom) = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
            boxes[index] = np.clip([top - 1, bottom + 1, left - 1, right + 1], -2, 1 << 20)
    return boxes
