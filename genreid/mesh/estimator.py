"""Who estimates the bodies of images. A further estimator is one file with a class that fits `MeshEstimator`.

`blazepose` is the one for photographs, with a model file that anybody may fetch; `romp` is for them too, and
its package and weights are the user's to bring. `regressor` is for the synthetic benchmark, as is
`ground_truth`. `mean_pose` looks at nothing: what the others gain over it is what the mesh is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import Body
from genreid.errors import GenreidError
from genreid.mesh.blazepose.estimator import BlazePoseEstimator
from genreid.mesh.ground_truth import GroundTruthEstimator
from genreid.mesh.mean_pose import MeanPoseEstimator
from genreid.mesh.regressor import load_regressor
from genreid.mesh.regressor_estimator import RegressorEstimator
from genreid.mesh.romp import RompEstimator
from genreid.mesh.settings import BlazePoseSettings, EstimatorName, RompSettings
from genreid.mesh.shards import MeshEstimates


class MeshEstimator(Protocol):
    """Estimates the body in each image.

    name: what the shards' column `estimator` says.
    """

    name: str

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """One row for each of B images, whatever is wrong with it.

        image_ids: B names. images: B pictures (h, w, 3) uint8 RGB at native size. The camera of a row is that
        of its native crop, and so is its mask, which an estimator may leave out. A row depends on its own
        image alone.
        """
        ...


def build_estimator(
    name: EstimatorName,
    body: Body,
    *,
    regressor: Mapping[str, Any] | None,
    truth: pa.Table | None,
    romp: RompSettings | None = None,
    blazepose: tuple[BlazePoseSettings, Path] | None = None,
    device: torch.device,
) -> MeshEstimator:
    """The estimator of that name.

    Args:
        regressor: the checkpoint that `fit-regressor` leaves, for `regressor`.
        truth: the table that `prepare-data` leaves beside the synthetic benchmark, for `ground_truth`.
        romp: for `romp`: where its files are and how it takes its answers.
        blazepose: for `blazepose`: how it takes its answers, and its model file.

    Raises:
        GenreidError: what the estimator needs is missing, or belongs to another body.
    """
    if name == "regressor":
        if regressor is None:
            raise GenreidError(
                "mesh_extract.estimator is regressor, and there is none: run `genreid fit-regressor`"
            )
        return RegressorEstimator(load_regressor(regressor, body), device)
    if name == "ground_truth":
        if truth is None:
            raise GenreidError(
                "mesh_extract.estimator is ground_truth, and this data set has none: only the synthetic "
                "benchmark does; choose blazepose, romp, or regressor"
            )
        return GroundTruthEstimator(truth, body)
    if name == "romp":
        assert romp is not None, "the caller has its settings"
        return RompEstimator(romp, body, device)
    if name == "blazepose":
        assert blazepose is not None, "the caller has its settings"
        return BlazePoseEstimator.open(*blazepose, body)
    if name == "mean_pose":
        return MeanPoseEstimator(body)
    raise GenreidError(
        f"no mesh estimator is called {name!r}: expected regressor, blazepose, romp, ground_truth or "
        "mean_pose"
    )
