"""A sheet of views: what `python -m benchmarks.views --pictures FILE.png` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

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


def view_sheet(images: np.ndarray, columns: Mapping[int, Mapping[str, np.ndarray]]) -> np.ndarray:
    """A row a person: its image, and for each angle the views by name; uint8 RGB.

    images: (B, H, W, 3) uint8. columns: angle in degrees → name → (B, H, W, 3) uint8.
    """
    factor = enlargement(images.shape[2])
    width = factor * images.shape[2]
    header = [caption("image", width)]
    for yaw_deg, views in columns.items():
        header.append(beside([caption(f"{yaw_deg}: {name}", width) for name in views], GAP_PX))
    lines = [beside(header, GROUP_GAP_PX)]
    for row in range(len(images)):
        groups = [_line([images[row]], factor)]
        groups += [
            _line([pictures[row] for pictures in views.values()], factor) for views in columns.values()
        ]
        lines.append(beside(groups, GROUP_GAP_PX))
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)


def _line(pictures: Sequence[np.ndarray], factor: int) -> np.ndarray:
    return beside([enlarge(picture, factor) for picture in pictures], GAP_PX)
