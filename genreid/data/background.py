"""The background of an image: what is left of it without its person.

Shapes: h×w the training size.
"""

from __future__ import annotations

import cv2
import numpy as np

_CLOTHES = 0.05  # of the height: how far clothes and bags may stand out from the body


def without_person(image: np.ndarray, person: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB, and (h, w) above 0 where its person may be → (h, w, 3) uint8.

    The person, and as much around it as clothes may reach, is filled in smoothly from what is next to it
    (pull-push: Gortler et al., SIGGRAPH 1996, section 3.4). Nothing but a blur is claimed for it: whoever is
    put before it hides it.
    """
    reach = max(1, round(_CLOTHES * len(person)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    known = cv2.dilate((person > 0).astype(np.uint8), disc) == 0
    if not known.any():
        return np.broadcast_to(image.mean((0, 1)), image.shape).astype(np.uint8)
    filled = _fill(image.astype(np.float32), known.astype(np.float32))
    return np.where(known[..., None], image, np.rint(filled)).astype(np.uint8)


def _fill(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3) where `known` (h, w) is above 0; elsewhere those of the same picture at half the
    size."""
    height, width = known.shape
    if known.all():
        return colours
    half = (max(1, width // 2), max(1, height // 2))
    share = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    total = cv2.resize(colours * known[..., None], half, interpolation=cv2.INTER_AREA)
    coarse = _fill(total / np.maximum(share, 1e-6)[..., None], (share > 0).astype(np.float32))
    around = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(known[..., None] > 0, colours, around)
