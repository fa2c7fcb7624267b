"""Mixed views along λ: what they look like, and where they stand between the two persons they are made of.

N images, each with a partner; L weights of the own identity; pictures are uint8 RGB.
"""

from __future__ import annotations

import numpy as np

from genreid.evaluation.figures import LAMBDAS
from genreid.evaluation.generation import Painter, ViewedImages
from genreid.render.sheets import (
    GAP_PX,
    GROUP_GAP_PX,
    PAPER,
    beside,
    caption,
    enlarge,
    enlargement,
    framed,
    stacked,
)


def paint_mixtures(
    painter: Painter, viewed: ViewedImages, index: np.ndarray, partner: np.ndarray
) -> np.ndarray:
    """(N,) positions of images and of their partners → (N,L,H,W,3) mixed views on the images' own meshes."""
    return np.stack([viewed.mixed(painter, index, partner, weight) for weight in LAMBDAS], axis=1)


def mixtures_picture(
    images: np.ndarray, mixed: np.ndarray, partners: np.ndarray, own: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """One row an image: its partner, the mixtures from the partner's side to its own, itself.

    images, partners: (N,H,W,3). mixed: (N,L,H,W,3). own, other: (N,L) cosine to the prototypes of the two
    identities, which stand below each mixture, the partner's first.
    """
    factor = enlargement(images.shape[2])
    width = factor * images.shape[2]
    names = ["other", *(f"{weight:g}" for weight in LAMBDAS), "image"]
    lines = [beside([caption(name, width) for name in names], GAP_PX)]
    for i in range(len(images)):
        notes = ["", *(f"{o:.2f} | {s:.2f}" for o, s in zip(other[i], own[i], strict=True)), ""]
        pictures = (partners[i], *mixed[i], images[i])
        cells = [
            stacked([enlarge(picture, factor), caption(note, width)], 0)
            for picture, note in zip(pictures, notes, strict=True)
        ]
        lines.append(beside(cells, GAP_PX))
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)
