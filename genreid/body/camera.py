"""The weak-perspective camera of a crop.

Camera frame: x right, y down, z forward; points are relative to the posed pelvis, in metres. A camera is
(s, t_x, t_y): x' = s·(X + t) lies in [−1, 1] over the longer side of the native crop. Pixel centres are at
.5, so the middle of the crop is (W/2, H/2). Depth plays no part.
"""

from __future__ import annotations

import torch
from torch import Tensor


def project(points: Tensor, camera: Tensor, height_px: Tensor | int, width_px: Tensor | int) -> Tensor:
    """Pixels (u, v) of points: u = W/2 + s·(X + t_x)·max(H,W)/2, and v likewise with Y, t_y and H.

    points (B,N,3); camera (B,3) as (s, t_x, t_y); height_px, width_px one number or (B,).
    Torch in, torch out: (B,N,2).
    """
    height = torch.as_tensor(height_px, dtype=points.dtype, device=points.device)
    width = torch.as_tensor(width_px, dtype=points.dtype, device=points.device)
    centre = torch.stack([width, height], dim=-1) / 2
    half_side = torch.maximum(height, width) / 2
    scale = camera[:, 0] * half_side
    moved = points[..., :2] + camera[:, None, 1:]
    return centre.expand(len(points), 2)[:, None] + scale[:, None, None] * moved
