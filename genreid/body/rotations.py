"""Rotations: axis-angle, matrices, 6D; turning a body about its own vertical axis; headings.

All functions take and give torch tensors with any leading batch dimensions, shown as "…". Angles in radians,
except where the name says `_deg`. They are differentiable, also at the identity; `matrix_to_axis_angle` has
the kink at half a turn that the representation itself has.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMALL_ANGLE_SQUARED = 1e-6  # below, Taylor series replace 0/0; their error is under float32's precision


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """(…,3) → (…,3,3) by Rodrigues' formula."""
    x, y, z = axis_angle.unbind(-1)
    squared = (axis_angle * axis_angle).sum(-1)
    small = squared < SMALL_ANGLE_SQUARED
    # sqrt has no gradient at 0, so the branch that is not taken must not see 0 either.
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    sinc = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    versine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / (angle * angle))
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sinc[..., None, None] * cross + versine[..., None, None] * (cross @ cross)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """(…,3,3) → (…,3) with an angle in [0, π]."""
    quaternion = _matrix_to_quaternion(matrix)
    real, imaginary = quaternion[..., 0], quaternion[..., 1:]
    squared = (imaginary * imaginary).sum(-1)
    small = squared < SMALL_ANGLE_SQUARED
    norm = torch.where(small, torch.ones_like(squared), squared).sqrt()
    factor = torch.where(small, 2 + squared / 3, 2 * torch.atan2(norm, real) / norm)
    return factor[..., None] * imaginary


def _matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """(…,3,3) → (…,4) unit, real part first and not negative.

    Each row of the table is the quaternion times 4·(one of its components); the row of the largest component
    is the one without cancellation (Shepperd 1978).
    """
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1])
    xy, xz, yz = (m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2])
    table = torch.stack(
        [
            torch.stack([1 + xx + yy + zz, wx, wy, wz], dim=-1),
            torch.stack([wx, 1 + xx - yy - zz, xy, xz], dim=-1),
            torch.stack([wy, xy, 1 - xx + yy - zz, yz], dim=-1),
            torch.stack([wz, xz, yz, 1 - xx - yy + zz], dim=-1),
        ],
        dim=-2,
    )
    best = table.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = torch.take_along_dim(table, best[..., None, None], dim=-2).squeeze(-2)
    row = torch.where(row[..., :1] < 0, -row, row)
    return row / row.norm(dim=-1, keepdim=True)


def rotation_6d_to_matrix(rotation_6d: Tensor) -> Tensor:
    """(…,6) → (…,3,3): the first two columns, made orthonormal (Zhou et al. 2019, section 4.2).

    The six numbers are the first column, then the second.
    """
    first = torch.nn.functional.normalize(rotation_6d[..., :3], dim=-1, eps=1e-8)
    second = rotation_6d[..., 3:]
    second = second - (first * second).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1, eps=1e-8)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], dim=-1)


def matrix_to_rotation_6d(matrix: Tensor) -> Tensor:
    """(…,3,3) → (…,6): the first column, then the second."""
    return torch.cat([matrix[..., 0], matrix[..., 1]], dim=-1)


def nearest_rotation(matrix: Tensor) -> Tensor:
    """(…,3,3) → (…,3,3): the rotation nearest to any matrix in the Frobenius norm."""
    u, _, vh = torch.linalg.svd(matrix)
    sign = torch.linalg.det(u @ vh)
    u = torch.cat([u[..., :2], u[..., 2:] * sign[..., None, None]], dim=-1)
    return u @ vh


def rotate_about_vertical(global_orient: Tensor, yaw_deg: Tensor | float) -> Tensor:
    """R → R·R_y(+θ): turn a body about its own vertical axis, positive towards its left.

    global_orient (…,3) axis-angle; yaw_deg broadcasts against its leading dimensions. Returns axis-angle of
    the broadcast shape.
    """
    yaw = torch.as_tensor(yaw_deg, dtype=global_orient.dtype, device=global_orient.device) * (math.pi / 180)
    zero = torch.zeros_like(yaw)
    turn = axis_angle_to_matrix(torch.stack([zero, yaw, zero], dim=-1))
    return matrix_to_axis_angle(axis_angle_to_matrix(global_orient) @ turn)


def heading_deg(global_orient: Tensor) -> Tensor:
    """(…,3) axis-angle → (…) heading in (−180, 180]: 0 faces the camera, +90 faces the image's right.

    The sign is that of `rotate_about_vertical`: turning by θ adds θ for an upright body. A leaning body's
    heading is that of its forward axis, seen from above.
    """
    forward = axis_angle_to_matrix(global_orient)[..., 2]
    return wrap_deg(torch.atan2(forward[..., 0], -forward[..., 2]) * (180 / math.pi))


def wrap_deg(angle_deg: Tensor) -> Tensor:
    """Any angle in degrees → the same one in (−180, 180]."""
    return 180 - torch.remainder(180 - angle_deg, 360)
