"""What every prop is made of: grids of triangles in the camera frame, textured by a panel of the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from genreid.synthetic.clothes.canvas import to_px

Panel = tuple[float, float, float, float]


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
def grid_faces(rows: int, columns: int, closed: bool) -> np.ndarray:
    """Triangles of a grid of vertices (rows × columns); `closed` joins the last column to the first."""
    last = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(last), indexing="ij")
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)


def panel_uv(panel: Panel, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(N, 2) texture pixels of points at shares (0 to 1) across and down a panel."""
    left, right, bottom, top = panel
    inset = 0.02
    x = left + inset + np.clip(across, 0.0, 1.0) * (right - left - 2 * inset)
    y = top - inset - np.clip(down, 0.0, 1.0) * (top - bottom - 2 * inset)
    return to_px(np.stack([x, y], axis=-1)).astype(np.float32)


def rounded_box(
    centre: np.ndarray, axes: np.ndarray, half: np.ndarray, panel: Panel, squareness: float = 0.35
) -> Prop:
    """A soft box (a superellipsoid).

    Args:
        centre: (3,).  axes: (3, 3) rows: the directions of its width, height and depth.
        half: (3,) half sizes.  squareness: 1 for an ellipsoid, towards 0 for a box.
    """
    unit, faces = _soft_cube(squareness)
    uv = panel_uv(panel, 0.5 + 0.5 * unit[:, 0], 0.5 - 0.5 * unit[:, 1])
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
    return np.stack([x, y, z], axis=-1).reshape(-1, 3), grid_faces(9, 17, False)
