"""What the joints of people who walk or stand do: mean and spread, joint by joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.body.poses import sample_habit, sample_pose
from genreid.body.rotations import axis_angle_to_matrix, matrix_to_rotation_6d, nearest_rotation
from genreid.seeding import numpy_rng

_NUM_POSES = 1024
_BREADTH = 1.5
_LEAST_SPREAD = 0.03


@dataclass(frozen=True)
class PosePrior:
    """mean (23, 3, 3): chordal means of the joints' rotations. columns (23, 6): the mean of their 6D columns.
    precision (23, 6, 6): a triangle T; |Tᵀ(x − columns)|² is the squared distance of x in spreads.
    """

    mean: Tensor
    columns: Tensor
    precision: Tensor

    @classmethod
    def of_walkers(cls) -> PosePrior:
        """Of walkers who vary more than those of the benchmark, and are none of them."""
        rng = numpy_rng(0, "pose prior")
        poses = [sample_pose(rng, sample_habit(rng), _BREADTH).body_pose() for _ in range(_NUM_POSES)]
        matrices = axis_angle_to_matrix(torch.from_numpy(np.stack(poses)).double().unflatten(1, (-1, 3)))
        columns = matrix_to_rotation_6d(matrices)
        apart = columns - columns.mean(0)
        spread = torch.einsum("njk,njl->jkl", apart, apart) / _NUM_POSES
        spread += _LEAST_SPREAD**2 * torch.eye(6, dtype=torch.float64)
        return cls(
            nearest_rotation(matrices.mean(0)).float(),
            columns.mean(0).float(),
            torch.linalg.cholesky(torch.linalg.inv(spread)).float(),
        )

    def distance(self, columns: Tensor) -> Tensor:
        """(B, 23, 6) 6D columns of the joints → (B,) sum over joints of squared distances in spreads."""
        spreads = torch.einsum("bjk,jkl->bjl", columns - self.columns, self.precision)
        return spreads.square().sum((1, 2))
