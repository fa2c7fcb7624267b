"""Warped views as a generator that repairs is shown them (`genreid.models.canvas`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genreid.data.transforms import normalise
from genreid.models.canvas import canvas_of
from genreid.warping.view import WarpedView


def make_canvas(views: Sequence[WarpedView], mesh: Tensor, backgrounds: np.ndarray) -> Tensor:
    """(B, 7, H, W) on the device of mesh (B, 1, H, W): views before backgrounds (B, H, W, 3) uint8."""
    pictures = [view.before(background) for view, background in zip(views, backgrounds, strict=True)]
    shares = np.stack([(view.seen, view.filled, view.share) for view in views])
    device = mesh.device
    return canvas_of(mesh, normalise(np.stack(pictures)).to(device), torch.from_numpy(shares).to(device))
