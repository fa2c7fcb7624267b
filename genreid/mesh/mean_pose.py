"""An estimator that never looks: the same body for everybody. It asks whether the mesh matters at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import NUM_BETAS
from genreid.body.poses import sample_habit, sample_pose
from genreid.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from genreid.mesh.shards import MeshEstimates
from genreid.seeding import numpy_rng

_NUM_POSES = 512
_FILLED = 0.93
"""Share of a crop's height that the body fills: what a detector's box usually leaves around a person."""


class MeanPoseEstimator:
    """The mean shape in the mean pose of walkers, upright, facing the camera, and as tall as the crop allows.

    It knows neither truth nor pixels: of an image it takes height and width alone. Score 0.
    """

    name = "mean_pose"

    def __init__(self, body: Body) -> None:
        self._parameters = BodyParameters(
            torch.tensor([[math.pi, 0.0, 0.0]]), mean_walking_pose()[None], torch.zeros(1, NUM_BETAS)
        )
        vertices = body.pose(self._parameters).vertices[0]
        self._low, self._high = vertices[:, :2].amin(0), vertices[:, :2].amax(0)

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """See `MeshEstimator`."""
        num = len(images)
        mean = self._parameters
        parameters = BodyParameters(
            *(rows.expand(num, -1).contiguous() for rows in (mean.global_orient, mean.body_pose, mean.betas))
        )
        cameras = [self._camera(*image.shape[:2]) for image in images]
        camera = torch.stack(cameras) if cameras else torch.zeros(0, 3)
        return MeshEstimates(["ok"] * num, np.zeros(num, np.float32), parameters, camera)

    def _camera(self, height_px: int, width_px: int) -> Tensor:
        """(3,) weak perspective that puts the body in the middle of the crop."""
        px_per_m = _FILLED * height_px / (self._high[1] - self._low[1])
        scale = 2 * px_per_m / max(height_px, width_px)
        return torch.cat([scale[None], -(self._low + self._high) / 2])


def mean_walking_pose() -> Tensor:
    """(69,) axis-angle: of each joint the chordal mean over poses of walkers outside the benchmark."""
    rng = numpy_rng(0, "mean pose")
    poses = np.stack([sample_pose(rng, sample_habit(rng)).body_pose() for _ in range(_NUM_POSES)])
    matrices = axis_angle_to_matrix(torch.from_numpy(poses).double().unflatten(1, (-1, 3)))
    return matrix_to_axis_angle(nearest_rotation(matrices.mean(0))).flatten().float()
