"""Two rows to hold estimates against: the truth itself, and a mean pose that knows the true root."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from genreid.mesh.shards import MeshEstimates, read_mesh_table


class GroundTruthEstimator:
    """Looks the synthetic truth up; it never opens an image. Score 1. An image unknown to it is `failed`."""

    name = "ground_truth"

    def __init__(self, truth: pa.Table, body: Body) -> None:
        """Raises GenreidError when `truth` is of another body."""
        image_ids, self._truth = read_mesh_table(truth, body.fingerprint)
        self._row = {image_id: row for row, image_id in enumerate(image_ids)}

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """See `MeshEstimator`."""
        known = np.array([i for i, image_id in enumerate(image_ids) if image_id in self._row], np.int64)
        rows = np.array([self._row[image_ids[i]] for i in known], np.int64)
        return MeshEstimates.without_mesh(["failed"] * len(image_ids)).fill(known, self._truth.select(rows))


def mean_pose_with_true_root(truth: MeshEstimates) -> MeshEstimates:
    """The baseline of the accuracy table: every image gets the mean pose and shape of all, at its true root.

    The mean of a joint's rotation is the rotation nearest to the mean of its matrices (the chordal mean).
    Root, camera and status are those of the truth.
    """
    valid = torch.from_numpy(np.flatnonzero(truth.valid))
    known = truth.parameters.select(valid)
    mean = axis_angle_to_matrix(known.body_pose.unflatten(1, (-1, 3))).mean(0)
    body_pose = matrix_to_axis_angle(nearest_rotation(mean)).flatten()
    num = len(truth)
    parameters = BodyParameters(
        truth.parameters.global_orient,
        body_pose.expand(num, -1).contiguous(),
        known.betas.mean(0).expand(num, -1).contiguous(),
    )
    return MeshEstimates(truth.status, truth.score, parameters, truth.camera)
