"""Where an image shows its person: by its mask, or along its body where there is none.

h×w one size; a mask is how surely each pixel shows the person, of 255 (`MeshEstimates.mask`).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from genreid.data.transforms import resize

LIKELY = 128
"""A mask of this or more says that the person is there."""

_RING = 64
"""Of the height: a pixel around the body at each of them, for hair and clothes."""

Masks = Callable[[int], np.ndarray | None]
"""Position of an image → its mask (h, w) uint8 at native size, or None where nobody knows."""


def _unknown(position: int) -> np.ndarray | None:
    return None


no_masks: Masks = _unknown
"""Of images whose masks nobody knows."""


def ring_px(height_px: int) -> int:
    """How far hair and clothes may stand out from the body in a picture of this height."""
    return max(1, height_px // _RING)


def person_share(body: np.ndarray, mask: np.ndarray | None, ring: int = 0) -> np.ndarray:
    """(h, w) uint8, how far each pixel is the person's, of 255: to cut it out and put it elsewhere.

    body: (h, w) bool, where the mesh is. mask: (h, w) uint8 or None. Without a mask, or with one that finds
    nobody, the body serves, and a ring of `ring` pixels around it for hair and clothes.
    """
    if finds_somebody(mask):
        assert mask is not None
        return mask
    covered = np.where(body, np.uint8(255), np.uint8(0))
    if ring == 0:
        return covered
    grown: np.ndarray = cv2.dilate(covered, np.ones((2 * ring + 1, 2 * ring + 1), np.uint8))
    return grown


def person_reach(body: np.ndarray, mask: np.ndarray | None, height_px: int, width_px: int) -> np.ndarray:
    """(height_px, width_px) bool: all that may show something of the person, to be taken out of the image.

    body: (h, w) bool; mask: (h, w) uint8 or None, of sizes of their own. Both count: what the mask misses the
    body may cover, and coats, hair and bags are in the mask alone.
    """
    parts = [body] if mask is None else [body, mask >= LIKELY]
    small = [resize(np.where(part, np.uint8(255), np.uint8(0)), height_px, width_px) > 0 for part in parts]
    return np.logical_or.reduce(small)


def finds_somebody(mask: np.ndarray | None) -> bool:
    """Whether there is a mask that says of any pixel that it is the person's."""
    return mask is not None and bool((mask >= LIKELY).any())
