"""What one step of the generator's training takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Batch:
    """B images with their meshes, on one device.

    index: (B,) int64, positions in the training set. image: (B, 3, H, W) float32, ImageNet-normalised.
    mesh: (B, 1, H, W) float32 in [-1, 1], the person's mesh from the image's own viewpoint (yaw 0).
    mesh_rotated: (B, 1, H, W), the same mesh turned by yaw_deg (B,) float32 about its vertical axis.

    Where same-person pictures are painted, else None: positive_image and positive_mesh, as image and mesh, of
    another image of the same pseudo-identity, or of the image itself where there is no other.

    Where second views stand before the background of another camera, else None: background (B, 3, H, W), of an
    image without its person.

    Where second views are warped, else None: warped (B, 3, H, W), the person turned by yaw_deg in the colours that
    the image shows, before `background`, or before the image's own without the person.
    """

    index: torch.Tensor
    image: torch.Tensor
    mesh: torch.Tensor
    mesh_rotated: torch.Tensor
    yaw_deg: torch.Tensor
    positive_image: torch.Tensor | None = None
    positive_mesh: torch.Tensor | None = None
    background: torch.Tensor | None = None
    warped: torch.Tensor | None = None

    def __len__(self) -> int:
        return self.image.shape[0]
