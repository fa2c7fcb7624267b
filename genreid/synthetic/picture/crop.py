"""The cut-out around a person, as a detector would make it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from genreid.synthetic.figure.figure import Figure
from genreid.synthetic.world.cameras import Camera, View


@dataclass(frozen=True)
class Framing:
    """How the detector's box misses the person's true box, in shares of the true height.

    Attributes:
        margin: added to height and width.  shift: (2,) right and down.
    """

    margin: float
    shift: tuple[float, float]


@dataclass(frozen=True)
class Crop:
    """The cut-out: `centre_m` (2,) of the camera frame (x, y from the pelvis), `px_per_m` of its pixels."""

    centre_m: np.ndarray
    px_per_m: float
    height_px: int
    width_px: int

    def weak_perspective(self) -> np.ndarray:
        """(3,) float32 s, t_x, t_y."""
        scale = 2.0 * self.px_per_m / max(self.height_px, self.width_px)
        return np.array([scale, -self.centre_m[0], -self.centre_m[1]], dtype=np.float32)

    def origin_px(self) -> np.ndarray:
        """(2,) pixel of the pelvis."""
        return np.array([self.width_px / 2.0, self.height_px / 2.0]) - self.centre_m * self.px_per_m


def sample_framing(rng: np.random.Generator, breadth: float = 1.0) -> Framing:
    """A detector's usual error, now and then a bad one that cuts feet or sides off."""
    sloppy = 2.2 if rng.random() < 0.1 else 1.0
    spread = sloppy * breadth
    return Framing(
        margin=float(np.clip(rng.normal(0.07, 0.045 * spread), -0.12, 0.35)),
        shift=(float(rng.normal(0.0, 0.018 * spread)), float(rng.normal(0.0, 0.022 * spread))),
    )


def crop_around(figure: Figure, framing: Framing, height_px: int, width_px: int) -> Crop:
    """The box of a detector around the person, at the picture's aspect ratio."""
    low, high = figure.vertices[:, :2].min(axis=0), figure.vertices[:, :2].max(axis=0)
    tall, wide = float(high[1] - low[1]), float(high[0] - low[0])
    # Arms that reach out are cut rather than letting the person become small.
    box_m = max(tall, 0.86 * wide * height_px / width_px) * (1.0 + framing.margin)
    centre = 0.5 * (low + high) + np.array(framing.shift) * tall
    # Rounded, so that the box does not depend on the last bit of the posed vertices.
    return Crop(np.round(centre, 5).astype(np.float64), round(height_px / box_m, 4), height_px, width_px)


def background_behind(camera: Camera, view: View, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """The part of the plate behind the crop: (H, W, 3) float32 light (square root), (H, W) metres."""
    zoom = crop.px_per_m / view.px_per_m
    corner = view.centre_px - crop.origin_px() / zoom
    # Pixel centres lie at .5 in both pictures.
    warp = np.array(
        [[1.0 / zoom, 0.0, corner[0] + 0.5 / zoom - 0.5], [0.0, 1.0 / zoom, corner[1] + 0.5 / zoom - 0.5]]
    )
    size = (crop.width_px, crop.height_px)
    image = camera.plate.image
    left, top = np.floor(corner - 2).astype(int)
    right, bottom = np.ceil(corner + np.array(size) / zoom + 2).astype(int)
    left, top = max(0, left), max(0, top)
    piece = image[top : max(top + 2, bottom), left : max(left + 2, right)]
    if zoom < 0.8:
        # Blur first, so that the warp does not skip fine detail.
        piece = cv2.GaussianBlur(piece, (0, 0), 0.42 / zoom)
    shifted = warp.copy()
    shifted[:, 2] -= [left, top]
    flags = cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(
        piece, shifted, size, flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    distance = cv2.warpAffine(
        camera.plate.distance, warp, size, flags=flags | cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return picture.astype(np.float32) / 255.0, distance
