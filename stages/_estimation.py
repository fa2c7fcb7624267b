"""Estimating meshes, and measuring them where there is a truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from genreid.body.body import Body
from genreid.data.images import ImageSet
from genreid.data.manifest import JUNK, Manifest
from genreid.mesh.accuracy import MeshAccuracy, measure
from genreid.mesh.estimator import EstimatorName, MeshEstimator, build_estimator
from genreid.mesh.ground_truth import mean_pose_with_true_root
from genreid.mesh.shards import MeshEstimates, read_mesh_table
from pipeline.artifacts import read_table, read_torch
from stages._mesh import in_order_of
from stages._romp import romp_settings
from stages._run import Project, StageRun

_MOST_MEASURED = 1000


def read_truth(run: StageRun) -> pa.Table:
    return read_table(run.path("truth"), run.remedy("truth"))


def open_estimator(run: Project, name: EstimatorName, body: Body, truth: pa.Table) -> MeshEstimator:
    """The estimator that the params name, with the artifacts that it needs."""
    regressor = read_torch(run.path("regressor"), run.remedy("regressor")) if name == "regressor" else None
    known = truth if truth.num_rows else None
    romp = romp_settings(run) if name == "romp" else None
    return build_estimator(name, body, regressor=regressor, truth=known, romp=romp, device=run.device)


def estimate(estimator: MeshEstimator, images: ImageSet, piece: range) -> MeshEstimates:
    """The bodies in the images at these positions. Raises GenreidError where one is not as the manifest says:
    a data set that was moved would otherwise look like one in which nobody was found.
    """
    return estimator.estimate([images.image_id[i] for i in piece], [images.load_native(i) for i in piece])


Rows = list[tuple[object, ...]]


def accuracy_table(
    found: MeshEstimates, truth: pa.Table, manifest: Manifest, body: Body
) -> tuple[Sequence[str], Rows]:
    """Header and rows: the estimates, and the mean pose with the true root, against the truth.

    Of many images an even sample is measured. Junk is left out: its boxes miss their person.
    """
    persons = np.flatnonzero(manifest.person_id != JUNK)
    chosen = persons[np.unique(np.linspace(0, len(persons) - 1, _MOST_MEASURED).astype(np.int64))]
    true = in_order_of(manifest, *read_mesh_table(truth, body.fingerprint), "the truth").select(chosen)
    height_px, width_px = manifest.height[chosen], manifest.width[chosen]
    baseline = mean_pose_with_true_root(true)
    return (
        ("", "heading error (°)", "flips (%)", "vertex error (mm)", "silhouette IoU", "images"),
        [
            _row("estimated", measure(found.select(chosen), true, body, height_px, width_px)),
            _row("mean pose, true root", measure(baseline, true, body, height_px, width_px)),
        ],
    )


def _row(name: str, accuracy: MeshAccuracy) -> tuple[object, ...]:
    return (
        name,
        accuracy.median_heading_error_deg,
        100 * accuracy.flip_rate,
        accuracy.median_vertex_error_mm,
        accuracy.median_iou,
        accuracy.num,
    )
