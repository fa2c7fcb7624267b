"""Meshes that a body lacks: the hanging cloth of skirts and coats, bags, long hair, hoods and visors.

Each maker returns a `Prop` in the camera frame of the posed body, textured by one of the canvas's panels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from genreid.synthetic.canvas import BAG_PANEL, BAG_SIDE_PANEL, HAIR_PANEL, to_px

Panel = tuple[float, float, float, float]
# Half depth and half width added around each leg, by distance below the hip joint (metres).
_LEG_AT = (-0.16, -0.06, 0.0, 0.12, 0.38, 0.6, 0.8)
_LEG_DEPTH = (0.105, 0.118, 0.12, 0.098, 0.068, 0.058, 0.05)
_LEG_WIDTH = (0.045, 0.066, 0.078, 0.085, 0.066, 0.058, 0.05)


@dataclass(frozen=True)
class Prop:
    """vertices (N, 3) metres in the camera frame; faces (M, 3) int32; uv (N, 2) texture pixels; side (N,) > 0
    for the canvas's front page."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    side: np.ndarray


@dataclass(frozen=True)
class Rig:
    """Where a posed body's parts are, in the camera frame.

    Attributes:
        joints: (24, 3) metres from the pelvis.
        turns: (24, 3, 3) rotation of every joint's bone from the T-pose (y up, z forward) to the camera
            frame.
        up: (3,) unit vector against gravity.
    """

    joints: np.ndarray
    turns: np.ndarray
    up: np.ndarray


@lru_cache(maxsize=32)
def _grid_faces(rows: int, columns: int, closed: bool) -> np.ndarray:
    """Triangles of a grid of vertices (rows × columns); `closed` joins the last column to the first."""
    last = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(last), indexing="ij")
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)


def _panel_uv(panel: Panel, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(N, 2) texture pixels of points at shares (0 to 1) across and down a panel."""
    left, right, bottom, top = panel
    inset = 0.02
    x = left + inset + np.clip(across, 0.0, 1.0) * (right - left - 2 * inset)
    y = top - inset - np.clip(down, 0.0, 1.0) * (top - bottom - 2 * inset)
    return to_px(np.stack([x, y], axis=-1)).astype(np.float32)


def hanging_cloth(
    rig: Rig,
    panel: Panel,
    top_m: float,
    hem_m: float,
    ease_m: float,
    flare: float,
    open_rad: float,
    widths: np.ndarray,
) -> Prop:
    """A skirt or coat tail: at each height the outline of both legs, bridged straight between them.

    Args:
        top_m, hem_m: heights from the pelvis on the mean body.
        flare: widening per metre below the hip.  open_rad: half angle of the opening in front.
        widths: (2,) the body's width and depth at the hips relative to the mean body.
    """
    num_rings, num_spokes = max(5, int((top_m - hem_m) / 0.055)), 36
    to_local = rig.turns[0].T
    local = rig.joints @ to_local.T
    below = np.linspace(-top_m - 0.054, -hem_m - 0.054, num_rings)
    if open_rad > 0.0:
        angle = np.linspace(open_rad, 2.0 * np.pi - open_rad, num_spokes)
    else:
        angle = np.linspace(-np.pi, np.pi, num_spokes)
    outward = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=-1)
    legs = np.stack([_along_leg(local[[1, 4, 7]], below), _along_leg(local[[2, 5, 8]], below)])
    pull = 26.0 * (legs[:, :, None, :] * outward).sum(-1)
    share = np.exp(pull - pull.max(axis=0))
    share /= share.sum(axis=0)
    ring = (share[..., None] * legs[:, :, None, :]).sum(axis=0)
    # The cloth leaves the body smoothly: it starts just under the surface and stands off it further down.
    leave = np.clip((below + 0.09) / 0.16, 0.0, 1.0)
    room = (-0.012 + (ease_m + 0.012) * leave + flare * np.maximum(0.0, below))[:, None]
    reach = np.stack(
        [
            np.interp(below, _LEG_AT, _LEG_WIDTH) * widths[0],
            np.zeros_like(below),
            np.interp(below, _LEG_AT, _LEG_DEPTH) * widths[1],
        ],
        axis=-1,
    )
    ring = ring + outward * (reach[:, None, :] + room[..., None])
    ring[..., 1] = 0.45 * ring[..., 1] + 0.55 * (-0.054 - below[:, None])
    wave = (
        0.012 * np.sin(angle * 7.0)[None, :] * np.clip(below / 0.4, 0.0, 1.0)[:, None] * (1.0 + 6.0 * flare)
    )
    ring += outward * wave[..., None]
    down = np.broadcast_to(np.linspace(0.0, 1.0, num_rings)[:, None], ring.shape[:2])
    across = 0.5 + 0.5 * np.sin(angle)
    uv = _panel_uv(
        panel,
        np.broadcast_to(across, ring.shape[:2]).reshape(-1),
        (down * (hem_m - top_m) / (panel[2] - panel[3])).reshape(-1),
    )
    side = np.broadcast_to(np.cos(angle), ring.shape[:2]).reshape(-1)
    return Prop(
        (ring.reshape(-1, 3) @ to_local).astype(np.float32),
        _grid_faces(num_rings, num_spokes, False),
        uv,
        side.astype(np.float32),
    )


def _along_leg(joints: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(R, 3) points of a leg (hip, knee, ankle) at given lengths below the hip; straight up above it."""
    hip, knee, ankle = joints
    thigh, shin = np.linalg.norm(knee - hip), np.linalg.norm(ankle - knee)
    lower = (below - thigh) / shin
    points = np.where(
        (below < thigh)[:, None],
        hip + (knee - hip) * (below / thigh)[:, None],
        knee + (ankle - knee) * lower[:, None],
    )
    straight = hip + np.stack([-0.25 * np.sign(hip[0]) * -below * 0.0, -below, np.zeros_like(below)], axis=-1)
    return np.where((below < 0.0)[:, None], straight, points)


def rounded_box(
    centre: np.ndarray, axes: np.ndarray, half: np.ndarray, panel: Panel, squareness: float = 0.35
) -> Prop:
    """A soft box (a superellipsoid).

    Args:
        centre: (3,).  axes: (3, 3) rows: the directions of its width, height and depth.
        half: (3,) half sizes.  squareness: 1 for an ellipsoid, towards 0 for a box.
    """
    unit, faces = _soft_cube(squareness)
    uv = _panel_uv(panel, 0.5 + 0.5 * unit[:, 0], 0.5 - 0.5 * unit[:, 1])
    vertices = centre + (unit * half) @ axes
    return Prop(vertices.astype(np.float32), faces, uv, unit[:, 2].astype(np.float32))


@lru_cache(maxsize=16)
def _soft_cube(squareness: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, 3) in [−1, 1] and faces of a superellipsoid."""
    latitude = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 9)[:, None]
    longitude = np.linspace(-np.pi, np.pi, 17)[None, :]

    def soft(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** squareness

    x, z = soft(np.cos(latitude)) * soft(np.sin(longitude)), soft(np.cos(latitude)) * soft(np.cos(longitude))
    y = np.broadcast_to(soft(np.sin(latitude)), x.shape)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3), _grid_faces(9, 17, False)


def backpack(rig: Rig, back: np.ndarray, size: float) -> Prop:
    """On the back; `back` (3,) is the middle of the clothed upper back."""
    trunk = 0.5 * (rig.turns[6] + rig.turns[9])
    width, height, depth = 0.155 * size, 0.215 * size, 0.085 * size
    centre = back + trunk @ np.array([0.0, -0.07, -depth - 0.005])
    return rounded_box(centre, trunk.T, np.array([width, height, depth]), BAG_PANEL)


def hip_bag(rig: Rig, hip: np.ndarray, side: int, size: float) -> Prop:
    """At the end of a strap, on one hip."""
    pelvis = rig.turns[0]
    axes = np.stack([pelvis[:, 2], pelvis[:, 1], side * pelvis[:, 0]])
    centre = hip + pelvis @ np.array([side * 0.05, -0.03, -0.02])
    return rounded_box(centre, axes, np.array([0.15, 0.115, 0.05]) * size, BAG_PANEL)


def hand_bag(rig: Rig, side: int, size: float, shopping: bool) -> list[Prop]:
    """A bag that hangs straight down from one hand, and its handles."""
    hand = rig.joints[22 if side > 0 else 23]
    ahead = rig.turns[0][:, 2] - rig.up * (rig.turns[0][:, 2] @ rig.up)
    ahead = ahead / np.linalg.norm(ahead)
    outer = np.cross(rig.up, ahead)
    half = np.array([0.135, 0.17 if shopping else 0.13, 0.05]) * size
    drop = half[1] + (0.11 if shopping else 0.14)
    axes = np.stack([ahead, rig.up, side * outer])
    centre = hand - rig.up * drop + side * outer * 0.025
    bag = rounded_box(centre, axes, half, BAG_PANEL, 0.3 if not shopping else 0.45)
    strip = []
    for end in (-0.55, 0.55):
        low = centre + rig.up * half[1] * 0.85 + ahead * end * half[0]
        middle, along = 0.5 * (low + hand), hand - low
        length = float(np.linalg.norm(along))
        along = along / length
        frame = np.stack([np.cross(along, outer), along, outer])
        strip.append(rounded_box(middle, frame, np.array([0.009, 0.5 * length, 0.006]), BAG_SIDE_PANEL))
    return [bag, *strip]


def long_hair(rig: Rig, length_m: float) -> Prop:
    """Hair falling behind the ears from the head over neck and shoulder blades."""
    num_rings, num_spokes = 9, 15
    head, trunk = rig.turns[15], rig.turns[9]
    skull = rig.joints[15] + head @ np.array([0.0, 0.055, 0.008])
    blades = rig.joints[12] + trunk @ np.array([0.0, -0.02, -0.045])
    angle = np.linspace(0.30 * np.pi, 1.70 * np.pi, num_spokes)
    down = np.linspace(0.0, 1.0, num_rings)
    rings = []
    for t in down:
        fall = t * (length_m + 0.16)
        radius = (0.088 + 0.012 * np.sin(np.pi * t), 0.100 + 0.012 * t)
        local = np.stack(
            [radius[0] * np.sin(angle), np.zeros_like(angle), radius[1] * np.cos(angle)], axis=-1
        )
        on_head = skull + (local + np.array([0.0, 0.02 - fall, 0.0])) @ head.T
        on_back = blades + (local * [1.25, 1.0, 0.85] + [0.0, 0.14 - fall, 0.0]) @ trunk.T
        share = min(1.0, max(0.0, (fall - 0.06) / 0.14))
        rings.append((1.0 - share) * on_head + share * on_back)
    vertices = np.array(rings).reshape(-1, 3)
    across = np.broadcast_to((angle - angle[0]) / (angle[-1] - angle[0]), (num_rings, num_spokes)).reshape(-1)
    uv = _panel_uv(HAIR_PANEL, across, np.repeat(down, num_spokes))
    return Prop(
        vertices.astype(np.float32),
        _grid_faces(num_rings, num_spokes, False),
        uv,
        np.full(len(vertices), -1.0, dtype=np.float32),
    )


def ponytail(rig: Rig, bun: bool) -> Prop:
    """Hair tied at the back of the head."""
    head = rig.turns[15]
    if bun:
        centre = rig.joints[15] + head @ np.array([0.0, 0.10, -0.105])
        return rounded_box(centre, head.T, np.array([0.042, 0.042, 0.038]), HAIR_PANEL, 1.0)
    root = rig.joints[15] + head @ np.array([0.0, 0.085, -0.10])
    fall = -0.75 * rig.up - 0.25 * head[:, 2]
    fall = fall / np.linalg.norm(fall)
    side = np.cross(fall, head[:, 2])
    side = side / np.linalg.norm(side)
    axes = np.stack([side, -fall, np.cross(side, -fall)])
    return rounded_box(root + 0.11 * fall, axes, np.array([0.034, 0.13, 0.03]), HAIR_PANEL, 0.9)


def visor(rig: Rig, uv_m: tuple[float, float]) -> Prop:
    """The peak of a cap."""
    head = rig.turns[15]
    angle = np.linspace(-0.45 * np.pi, 0.45 * np.pi, 9)
    inner = np.stack([0.07 * np.sin(angle), 0.0 * angle, 0.075 * np.cos(angle)], axis=-1)
    outer = np.stack([0.075 * np.sin(angle), -0.022 + 0.0 * angle, 0.03 + 0.125 * np.cos(angle)], axis=-1)
    centre = rig.joints[15] + head @ np.array([0.0, 0.088, 0.03])
    vertices = centre + np.concatenate([inner, outer]) @ head.T
    uv = np.broadcast_to(to_px(np.array(uv_m)), (len(vertices), 2))
    return Prop(
        vertices.astype(np.float32),
        _grid_faces(2, 9, False),
        uv.astype(np.float32),
        np.ones(len(vertices), dtype=np.float32),
    )


def hood(rig: Rig, back: np.ndarray, uv_m: tuple[float, float]) -> Prop:
    """A hood that lies on the shoulders."""
    trunk = rig.turns[9]
    centre = 0.45 * back + 0.55 * rig.joints[12] + trunk @ np.array([0.0, 0.05, -0.05])
    shape = rounded_box(centre, trunk.T, np.array([0.115, 0.07, 0.055]), BAG_PANEL, 0.8)
    uv = to_px(np.array(uv_m)) + 6.0 * np.sin(np.arange(len(shape.uv)))[:, None]
    return Prop(shape.vertices, shape.faces, uv.astype(np.float32), np.full_like(shape.side, -1.0))
