"""What the regressor is fitted by: rotations, joints, the camera and the mask, all in closed form. B images.

No body is skinned and nothing is drawn: the truth of a render is known joint by joint, the 24 joints cost a
hundredth of 6,890 vertices, and its silhouette comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.body.rotations import matrix_to_rotation_6d
from genreid.mesh.regressor import Prediction, camera_to_image
from genreid.mesh.settings import LossSettings
from genreid.mesh.skeleton import Skeleton


@dataclass(frozen=True)
class Target:
    """The truth of B images.

    rotations (B, 24, 3, 3). betas (B, 10). camera (B, 3) as s, t_x, t_y. silhouette (B, H, W) uint8: 255
    where the person is, whatever stands before them; in between on edges that were moved.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor
    silhouette: Tensor

    def select(self, index: Tensor) -> Target:
        return Target(self.rotations[index], self.betas[index], self.camera[index], self.silhouette[index])

    def to(self, device: torch.device) -> Target:
        return Target(
            self.rotations.to(device),
            self.betas.to(device),
            self.camera.to(device),
            self.silhouette.to(device),
        )

    @property
    def rotation_6d(self) -> Tensor:
        """(B, 24, 6) as in `Prediction`."""
        return matrix_to_rotation_6d(self.rotations)

    @property
    def camera_in_image(self) -> Tensor:
        """(B, 3) as in `Prediction`."""
        return camera_to_image(self.camera)


def regression_losses(
    prediction: Prediction, target: Target, skeleton: Skeleton, weights: LossSettings
) -> dict[str, Tensor]:
    """Weighted scalar terms by name.

    heading: squared distance of the body's left direction, the first column of the root. root, pose: of
    both columns of the root and, mean over 23, of the joints. betas, camera: squared errors (camera as ln s,
    s·t_x, s·t_y). joints: mean distance in 3D in metres. joints_2d: mean distance in the image, in half
    longer sides. mask: binary cross-entropy, mean over pixels.

    Squares of columns that are not yet orthonormal leave the mean of what is possible as the best answer, so
    an undecidable heading shows as a short column. The distances of joints are not squared: there, a limb
    that is far off (left leg taken for the right) does not outweigh all others.
    """
    camera = target.camera_in_image
    columns = (prediction.rotation_6d - target.rotation_6d).square().unflatten(2, (2, 3)).sum(3)
    # Both in one call: what posing costs are its many small operations, not their size.
    rotations = torch.cat([prediction.rotations, target.rotations])
    joints = skeleton.pose(rotations, torch.cat([prediction.betas, target.betas]))
    found_joints, true_joints = joints.chunk(2)
    on_image = _place(found_joints, prediction.camera) - _place(true_joints, camera)
    silhouette = target.silhouette.to(prediction.mask.dtype) / 255
    terms = {
        "heading": columns[:, 0, 0].mean(),
        "root": columns[:, 0].sum(1).mean(),
        "pose": columns[:, 1:].sum(2).mean(),
        "betas": (prediction.betas - target.betas).square().mean(),
        "joints": _length(found_joints - true_joints).mean(),
        "joints_2d": _length(on_image).mean(),
        "camera": (prediction.camera - camera).square().sum(1).mean(),
        "mask": F.binary_cross_entropy_with_logits(prediction.mask, silhouette),
    }
    return {name: getattr(weights, name) * value for name, value in terms.items()}


def _place(joints: Tensor, camera: Tensor) -> Tensor:
    """x' of joints (B, J, 3), in [−1, 1] over the longer side, from a camera as ln s, s·t_x, s·t_y."""
    return camera[:, None, :1].exp() * joints[..., :2] + camera[:, None, 1:]


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length with a gradient at 0 (the pelvis is exactly at 0 in both)."""
    return (vectors.square().sum(-1) + 1e-8).sqrt()
