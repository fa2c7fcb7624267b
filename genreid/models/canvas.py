"""What a generator that repairs is shown: a view that was warped, and how every pixel of it is known.

Beyond the paper; docs/method.md, Views by repair. A canvas is (B, 7, H, W): the grey view of the mesh in [−1,
1]; the warped view before its background, three channels of normalised pixels; and three shares of a pixel in
[0, 1]: seen, filled, and the person's.
"""

from __future__ import annotations

import torch
from torch import Tensor

CANVAS_CHANNELS = 7


def canvas_of(mesh: Tensor, picture: Tensor, shares: Tensor) -> Tensor:
    """Of mesh (B, 1, H, W), picture (B, 3, H, W) and shares (B, 3, H, W)."""
    return torch.cat([mesh, picture, shares], dim=1).contiguous(memory_format=torch.channels_last)


def picture_of(canvas: Tensor) -> Tensor:
    """The warped view (B, 3, H, W)."""
    return canvas[:, 1:4]


def share_of(canvas: Tensor) -> Tensor:
    """How far each pixel is the person's, with the ring around the body: (B, 1, H, W)."""
    return canvas[:, 6:7]
