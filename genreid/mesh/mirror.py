"""A body and its mirror image: what a horizontally flipped picture shows. B bodies.

The mirror is x → −x of the camera frame. In SMPL's layout the mirrored person has the left limb's pose in the
right one, and each rotation R becomes S·R·S with S = diag(−1, 1, 1). Shape stays as it is, because a body's
two halves are alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genreid.body.layout import JOINT_NAMES, mirror_name

_OTHER_SIDE = [JOINT_NAMES.index(mirror_name(name)) for name in JOINT_NAMES]
_SIGNS = torch.tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])


def mirror_rotations(rotations: Tensor) -> Tensor:
    """(B, 24, 3, 3) rotations of root and joints → those of the mirror image."""
    return rotations[:, _OTHER_SIDE] * _SIGNS.to(rotations)


def mirror_camera(camera: Tensor) -> Tensor:
    """(B, 3) weak perspective s, t_x, t_y → that of the mirror image."""
    return camera * camera.new_tensor([1.0, -1.0, 1.0])
