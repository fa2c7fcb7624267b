"""Bags, long hair, hoods and visors: meshes that a body lacks, in the camera frame of the posed body."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.clothes.canvas import BAG_PANEL, BAG_SIDE_PANEL, HAIR_PANEL, SKIRT_PANEL, to_px
from genreid.synthetic.clothes.skirts import needs_tail
from genreid.synthetic.figure.hanging import hanging_cloth
from genreid.synthetic.figure.mannequin import Mannequin
from genreid.synthetic.figure.shapes import Prop, Rig, grid_faces, panel_uv, rounded_box
from genreid.synthetic.person.identity import Identity


def props_of(mannequin: Mannequin, identity: Identity, rig: Rig, clothed: np.ndarray) -> list[Prop]:
    """Everything that is not the body's own surface."""
    parts: list[Prop] = []
    middle = 0.5 * (SKIRT_PANEL[0] + SKIRT_PANEL[1])
    panels = ((SKIRT_PANEL[0], middle, *SKIRT_PANEL[2:]), (middle, SKIRT_PANEL[1], *SKIRT_PANEL[2:]))
    widths = _hip_widths(mannequin, rig, clothed)
    for garment, panel, extra in ((identity.bottom, panels[0], 0.004), (identity.outer, panels[1], 0.016)):
        if garment is not None and needs_tail(garment):
            opening = 1.3 * garment.open_m / 0.17
            top = 0.03 if garment.cut in ("skirt", "dress") else -0.02
            parts.append(
                hanging_cloth(
                    rig, panel, top, garment.hem_m, garment.ease_m + extra, garment.flare, opening, widths
                )
            )
    bag, head = identity.bag, identity.head
    back = clothed[mannequin.upper_back].mean(axis=0).astype(np.float64)
    if bag.kind == "backpack":
        parts.append(backpack(rig, back, bag.size))
    elif bag.kind == "shoulder":
        hip = clothed[mannequin.left_hip if bag.side > 0 else mannequin.right_hip].mean(axis=0)
        parts.append(hip_bag(rig, hip.astype(np.float64), bag.side, bag.size))
    elif bag.kind in ("tote", "shopping"):
        parts.extend(hand_bag(rig, bag.side, bag.size, bag.kind == "shopping"))
    if head.hair == "long":
        parts.append(long_hair(rig, 0.12))
    elif head.hair in ("ponytail", "bun") and head.hat != "beanie":
        parts.append(ponytail(rig, head.hair == "bun"))
    if head.hat == "cap":
        parts.append(visor(rig, (0.0, 0.72)))
    worn = identity.outer or identity.top
    if worn.collar == "hood":
        parts.append(hood(rig, back, (0.26, 0.42)))
    return parts


def _hip_widths(mannequin: Mannequin, rig: Rig, clothed: np.ndarray) -> np.ndarray:
    """(2,) width and depth of the clothed hips relative to the mean naked body."""
    pelvis = rig.turns[0]

    def span(points: np.ndarray, axis: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
        return float((points[a].mean(axis=0) - points[b].mean(axis=0)) @ axis)

    mean = mannequin.vertices
    x, z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    left, right, belly, seat = mannequin.left_hip, mannequin.right_hip, mannequin.belly, mannequin.seat
    return np.array(
        [
            span(clothed, pelvis[:, 0], left, right) / span(mean, x, left, right),
            span(clothed, pelvis[:, 2], belly, seat) / span(mean, z, belly, seat),
        ]
    )


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
    uv = panel_uv(HAIR_PANEL, across, np.repeat(down, num_spokes))
    return Prop(
        vertices.astype(np.float32),
        grid_faces(num_rings, num_spokes, False),
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
        grid_faces(2, 9, False),
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
