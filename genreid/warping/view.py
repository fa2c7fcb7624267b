"""The picture of a coloured body: pixels of a view, h×w its native size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numba
import numpy as np

from genreid.data.transforms import resize
from genreid.render.zbuffer import Fragments
from genreid.warping.texture import Texture

_RING = 1 / 64
"""Of the height: how far hair and clothes reach beyond a body that is drawn a centimetre thicker."""


@dataclass(frozen=True)
class Layer:
    """A person before nothing. All (h, w, …) float32.

    person: (h, w, 3), colours of 0 to 255 times the share of the pixel that the person covers. share: (h, w)
    that share, the silhouette with soft edges.
    """

    person: np.ndarray
    share: np.ndarray

    def resized(self, height_px: int, width_px: int) -> Self:
        """The same at another size; every pixel's colour comes from the person alone."""
        return type(self)(**{name: resize(part, height_px, width_px) for name, part in vars(self).items()})

    def packed(self) -> np.ndarray:
        """(h, w, 4) uint8, colours and 255 · share: a sixth of the memory, and half a level of error."""
        return np.rint(np.dstack([self.person, 255 * self.share])).astype(np.uint8)

    @staticmethod
    def unpacked(packed: np.ndarray) -> Layer:
        """What `packed` kept."""
        return Layer(packed[..., :3].astype(np.float32), packed[..., 3] / np.float32(255))

    def recoloured(self, gain: np.ndarray, offset: np.ndarray) -> Self:
        """The same with every colour c of the person as gain·c + offset, (3,) both, within 0 to 255."""
        share = self.share[..., None]
        return replace(self, person=np.clip(gain * self.person + offset * share, 0, 255 * share))

    def before(self, background: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8: the person before a background of the same size."""
        return np.rint(self.person + (1 - self.share[..., None]) * background).astype(np.uint8)


@dataclass(frozen=True)
class WarpedView(Layer):
    """A layer, and how its colours are known.

    seen, filled: (h, w) float32, the share of the pixel whose colour the image shows, and that was taken from
    what it shows nearby; the rest of `share` is guessed.
    """

    seen: np.ndarray
    filled: np.ndarray


def draw_view(texture: Texture, fragments: Fragments, faces: np.ndarray) -> WarpedView:
    """A body as a view of it sees it, in the colours of a texture; faces (F, 3).

    A ring around the body takes the colour of its nearest pixel, and its edge fades over one pixel. A ring is
    guessed.
    """
    values = np.column_stack([texture.colour, texture.seen, texture.filled])
    drawn = np.zeros((*fragments.depth.shape, 5), np.float32)
    _interpolate(values, faces, fragments.face_index, fragments.barycentric, drawn)
    colour, seen, filled = drawn[..., :3], drawn[..., 3] / 255, drawn[..., 4] / 255
    covered = fragments.covered
    if not covered.any():
        return WarpedView(colour, seen.copy(), seen, filled)

    ring = max(1, round(_RING * len(covered)))
    away, label = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((label.max() + 1, 3), np.float32)
    nearest[label[covered]] = colour[covered]
    share = np.where(covered, np.float32(1), np.clip(ring + 1 - away, 0, 1)).astype(np.float32)
    person = np.where(covered[..., None], colour, nearest[label]) * share[..., None]
    return WarpedView(person, share, seen, filled)


@numba.njit(cache=True, nogil=True)
def _interpolate(
    values: np.ndarray, faces: np.ndarray, face_index: np.ndarray, barycentric: np.ndarray, drawn: np.ndarray
) -> None:
    """Values (V, C) of the vertices at every covered pixel, into `drawn` (h, w, C)."""
    height, width = face_index.shape
    for row in range(height):
        for column in range(width):
            face = face_index[row, column]
            if face < 0:
                continue
            for corner in range(3):
                weight = barycentric[row, column, corner]
                vertex = faces[face, corner]
                for channel in range(values.shape[1]):
                    drawn[row, column, channel] += weight * np.float32(values[vertex, channel])
