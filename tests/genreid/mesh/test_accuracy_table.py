"""The table of a data set's accuracy: who is measured, and in which unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import rotate_about_vertical
from genreid.data.manifest import JUNK, Manifest, ManifestInfo
from genreid.mesh import accuracy_table as room
from genreid.mesh.accuracy import measure
from genreid.mesh.accuracy_table import accuracy_table
from genreid.mesh.ground_truth import mean_pose_with_true_root
from genreid.mesh.shards import MeshEstimates, mesh_table

NAMES = [f"image {i}" for i in range(8)]


def manifest(junk: int | None = None) -> Manifest:
    rows = [
        {
            "image_id": name,
            "path": name,
            "split": "query",
            "camera_id": 1,
            "person_id": JUNK if number == junk else 1 + number,
            "height": 128,
            "width": 64,
            "status": "ok",
        }
        for number, name in enumerate(NAMES)
    ]
    return Manifest.from_rows(rows, ManifestInfo("tiny", "images", 64, 32, "open"))


def turned(people: MeshEstimates, yaw_deg: list[float]) -> MeshEstimates:
    p = people.parameters
    root = rotate_about_vertical(p.global_orient, torch.tensor(yaw_deg))
    return replace(people, parameters=BodyParameters(root, p.body_pose, p.betas))


def test_estimates_and_the_baseline_beside_the_truth(body: Body, people: MeshEstimates) -> None:
    truth = mesh_table(NAMES[::-1], people.select(np.arange(8)[::-1]), "truth", body.fingerprint)
    found = turned(people, [20.0] * 6 + [180.0] * 2)
    header, (estimated, baseline) = accuracy_table(found, truth, manifest(), body)
    assert header[1:] == ("heading error (°)", "flips (%)", "vertex error (mm)", "silhouette IoU", "images")
    size = np.full(8, 128), np.full(8, 64)
    one, other = (measure(m, people, body, *size) for m in (found, mean_pose_with_true_root(people)))
    assert estimated[0] == "estimated" and estimated[2] == 25.0 and estimated[5] == 8
    for row, accuracy in ((estimated, one), (baseline, other)):
        assert row[1] == pytest.approx(accuracy.median_heading_error_deg)
        assert row[3] == pytest.approx(accuracy.median_vertex_error_mm)
        assert row[4] == pytest.approx(accuracy.median_iou)
    assert baseline[0] == "mean pose, true root"


def test_junk_is_left_out_and_of_many_an_even_sample_is_measured(
    body: Body, people: MeshEstimates, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = mesh_table(NAMES, people, "truth", body.fingerprint)
    found = turned(people, [0.0] * 7 + [180.0])
    assert accuracy_table(found, truth, manifest(), body)[1][0][2] == 100 / 8
    assert [accuracy_table(found, truth, manifest(junk=7), body)[1][0][i] for i in (2, 5)] == [0.0, 7]
    monkeypatch.setattr(room, "_MOST_MEASURED", 2)  # the first and the last
    assert [accuracy_table(found, truth, manifest(), body)[1][0][i] for i in (2, 5)] == [50.0, 2]
