"""Carrying the visible texture of an image over to another view of the same person.

Shapes: H×W the native size of a view, h×w the training size, at which pictures are.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from genreid.data.transforms import normalise, resize


def carry(image: np.ndarray, source: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB and places in it → (h, w, 4) uint8: the colours found there, and how much is known.

    source: (H, W, 2) float32, for each pixel of the other view the place [u_px, v_px] in this one, in native
    pixels, NaN where nothing is to be found. The fourth channel is the share of a pixel that is covered, 0 to
    255; colours are those of the covered part, and black where there is none.
    """
    height, width = image.shape[:2]
    scale = np.array([width / source.shape[1], height / source.shape[0]], np.float32)
    known = np.isfinite(source[..., 0])
    # Pixel centres lie at .5 here and at whole numbers in OpenCV.
    u, v = np.moveaxis(np.where(known[..., None], source * scale - 0.5, -1).astype(np.float32), 2, 0)
    found = cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _shrink(found, known, height, width)


def keep(image: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB and a native mask (H, W) bool → (h, w, 4) uint8: what of the image is in the mask."""
    height, width = image.shape[:2]
    share = resize(shared.astype(np.uint8) * 255, height, width)
    return np.dstack([np.where(share[..., None] > 0, image, 0), share])


def normalise_carried(carried: np.ndarray) -> torch.Tensor:
    """(B, h, w, 4) uint8 → (B, 4, h, w) float32: normalised colours times the share known, and the share."""
    share = torch.from_numpy(carried[..., 3].copy())[:, None].float().div_(255)
    return torch.cat([normalise(carried[..., :3]) * share, share], dim=1)


def _shrink(colours: np.ndarray, known: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Colours (H, W, 3) of the pixels known (H, W) at the training size, unmixed with those that are not."""
    share = resize(known.astype(np.float32), height_px, width_px)
    total = resize(np.where(known[..., None], colours, 0).astype(np.float32), height_px, width_px)
    mean = total / np.maximum(share, 1e-6)[..., None]
    return np.rint(np.dstack([mean, 255 * share])).astype(np.uint8)
