"""A mesh for images in which nobody was found: the mean of the data set's others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from genreid.mesh.regressor import camera_from_image, camera_to_image
from genreid.mesh.shards import MeshEstimates

Fallback = Literal["mean_pose", "drop"]
"""What images without a person get: `mean_pose` of all images with one, or nothing (`drop`)."""


@dataclass(frozen=True)
class MeanBody:
    """rotations (24, 3), axis-angle of root and joints: of each the chordal mean, the rotation nearest to the
    mean of the matrices. betas (10). camera (3): the mean size and place in the crop, as s, t_x, t_y.

    People walk every way, so the mean root stands upright and faces the way that is a little more common.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor


def mean_body(parts: Iterable[MeshEstimates]) -> MeanBody | None:
    """The mean of all images with status `ok`, whichever parts they are in; None where there is none."""
    count = 0
    matrices = torch.zeros(24, 3, 3, dtype=torch.float64)
    betas, camera = torch.zeros(10, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for part in parts:
        known = part.select(np.array(part.status) == "ok")
        vectors = torch.cat([known.parameters.global_orient, known.parameters.body_pose], dim=1)
        matrices += axis_angle_to_matrix(vectors.double().unflatten(1, (-1, 3))).sum(0)
        betas += known.parameters.betas.double().sum(0)
        camera += camera_to_image(known.camera.double()).sum(0)
        count += len(known)
    if count == 0:
        return None
    return MeanBody(
        matrix_to_axis_angle(nearest_rotation(matrices / count)).float(),
        (betas / count).float(),
        camera_from_image(camera[None] / count)[0].float(),
    )


def fill_missing(found: MeshEstimates, mean: MeanBody) -> MeshEstimates:
    """The same with the mean body, at score 0 and status `fallback`, where nobody was found."""
    index = np.flatnonzero(np.array(found.status) == "no_person")
    num = len(index)
    parameters = BodyParameters(
        mean.rotations[:1].expand(num, 3),
        mean.rotations[1:].reshape(1, -1).expand(num, -1),
        mean.betas.expand(num, -1),
    )
    filling = MeshEstimates(
        ["fallback"] * num, np.zeros(num, np.float32), parameters, mean.camera.expand(num, -1)
    )
    return found.fill(index, filling)
