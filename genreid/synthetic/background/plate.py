"""The empty picture of a background, before anybody walks there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.synthetic.background.layout import Background
from genreid.synthetic.background.raycast import cast
from genreid.synthetic.camera.lens import Lens


@dataclass(frozen=True)
class Plate:
    """A background without people: `image` (H, W, 3) uint8, the square root of linear light, and
    `distance` (H, W) float32, metres from the lens."""

    image: np.ndarray
    distance: np.ndarray


def plate_height_px(height_px: int) -> int:
    """Height of a plate that is fine enough for crops of this height."""
    return int(np.clip(round(3.4 * height_px / 32) * 32, 384, 1024))


def render_plate(background: Background, lens: Lens) -> Plate:
    """The background as the camera sees it, before the sensor has its say."""
    shape = (lens.height_px, lens.width_px)
    radiance, distance = np.zeros((*shape, 3)), np.zeros(shape)
    origin = np.array([0.0, lens.height_m, 0.0])
    boxes = _seen_boxes(background.solids, lens)
    cast(lens.rays(), origin, 1.0 / lens.focal_px, background, boxes, radiance, distance)
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
