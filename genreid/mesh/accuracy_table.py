"""How near the bodies of a whole data set are to the true ones, as a table for people."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from genreid.body.body import Body
from genreid.data.manifest import JUNK, Manifest
from genreid.mesh.accuracy import MeshAccuracy, measure
from genreid.mesh.ground_truth import mean_pose_with_true_root
from genreid.mesh.shards import MeshEstimates, estimates_of

_MOST_MEASURED = 1000


def accuracy_table(
    found: MeshEstimates, truth: pa.Table, manifest: Manifest, body: Body
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Header and rows: the estimates, and the mean pose with the true root, against the truth.

    Of many images an even sample is measured. Junk is left out: its boxes miss their person.
    """
    persons = np.flatnonzero(manifest.person_id != JUNK)
    chosen = persons[np.unique(np.linspace(0, len(persons) - 1, _MOST_MEASURED).astype(np.int64))]
    true = estimates_of(manifest.image_id, truth, body.fingerprint, "the truth").select(chosen)
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
