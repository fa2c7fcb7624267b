"""The canvases of a batch: views that were warped, as a generator that repairs is shown them.

Beyond the paper; docs/method.md, Views by repair. B images, H×W the training size.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from genreid.data.batch import Canvases
from genreid.warping.canvas import make_canvas
from genreid.warping.images import Dressed


def make_canvases(
    persons: Dressed,
    index: np.ndarray,
    yaw_deg: np.ndarray,
    meshes: tuple[Tensor, Tensor],
    empty: tuple[np.ndarray, np.ndarray],
    positives: np.ndarray | None,
    *,
    learns: bool,
) -> Canvases:
    """The canvases of the images at `index` (B,), turned by `yaw_deg` (B,).

    meshes: (B, 1, H, W) from the images' own viewpoints, and turned. empty: (B, H, W, 3) uint8, the
    backgrounds of the images themselves, and of their turned persons. positives: (B,) images whose textures
    they wear in `same_person`, if any. learns: whether there has to be something to learn from.
    """
    turned = make_canvas(persons.views(index, yaw_deg), meshes[1], empty[1])
    if not learns:
        return Canvases(turned)
    after_turn = make_canvas(persons.after_turn(index, half_turn(yaw_deg)), meshes[0], empty[0])
    same_person = None
    if positives is not None:
        same_person = make_canvas(persons.wearing(index, positives), meshes[0], empty[0])
    return Canvases(turned, after_turn, same_person)


def half_turn(yaw_deg: np.ndarray) -> np.ndarray:
    """(B,) half of each angle, the short way round: after a turn by 180 degrees nothing is left of what was
    seen, after one by 90 there is something to go by."""
    return ((yaw_deg.astype(np.float64) + 180) % 360 - 180) / 2
