"""The whole graph on data that was not made here: without any label, with one camera, with identities."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import pytest

from genreid.body.body import load_body
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.settings import SyntheticSettings
from stages.shared.results import FIGURES
from tests.stages.small_project import SmallProject

pytestmark = pytest.mark.slow

SETTINGS = SyntheticSettings(
    train_identities=6,
    val_identities=0,
    test_identities=1,
    num_cameras=3,
    min_images=6,
    max_images=6,
    height_px=64,
    width_px=32,
)
A_FEW_STEPS: dict[str, object] = dict(
    pretrain_encoder__epochs=1,
    pretrain_generator__epochs=1,
    pretrain_generator__steps_per_epoch=2,
    train_joint__epochs=1,
    train_joint__steps_per_epoch=3,
    evaluate__num_generated=4,
)
"""Params with which every stage that learns does little."""
LATER_STAGES = (
    "mesh-extract",
    "render-views",
    "pretrain-encoder",
    "pretrain-generator",
    "train-joint",
    "evaluate",
)


def write_crops(root: Path) -> int:
    """`cam 2/0003_c2_001.jpg`: crops of six persons in three cameras, as somebody might keep them."""
    benchmark = Benchmark(load_body("open"), SETTINGS, 5)
    shots = [shot for shot in benchmark.shots if shot.split == "train"]
    for shot in shots:
        path = root / f"cam {shot.camera_id}" / f"{shot.image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = benchmark.render(shot).image
        cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tofile(path)
    return len(shots)


def go(project: SmallProject, *stages: str) -> str:
    """Run the stages; what the last one printed."""
    for stage in stages:
        done = project.run(stage, "--no-progress")
        assert done.code == 0, (stage, done.out, done.err)
    return done.out


def test_a_folder_of_crops_goes_through_the_graph(small: SmallProject) -> None:
    num = write_crops(small.folder / "crops")
    (small.folder / "crops" / "cam 1" / "broken.jpg").write_bytes(b"\xff\xd8\xff half of it")
    small.set(
        paths__dataset="crops",
        prepare_data__dataset="folder",
        fit_regressor__epochs=1,
        fit_regressor__num_scenes=32,
        render_views__yaws_deg=[0, 90, 180],
        **A_FEW_STEPS,
    )

    # Nothing is known of them.
    assert f"│ {num + 1} │" in " ".join(go(small, "prepare-data").split())
    go(small, "fit-regressor")
    told = go(small, *LATER_STAGES)
    reason = "undefined: folder has no query and gallery images"
    assert reason in told and reason in small.run("summary").out
    assert (small.folder / "plots" / "evaluate" / "ranked_lists.png").exists()
    metrics = small.metrics()
    assert "warm_up" not in metrics and "joint" not in metrics
    assert metrics["views"] and all(math.isfinite(value) for value in metrics["views"].values())
    curves = small.folder / "plots" / "pretrain-encoder" / "plots" / "metrics"
    assert (curves / "clusters.tsv").exists() and not (curves / "ari.tsv").exists()
    rows = json.loads((small.folder / "provenance" / "mesh-extract.json").read_text())
    assert rows["images"] == num

    # Identities and a query, but no camera: the figures of the field are undefined, neither 0 nor 100.
    name = r"cam \d/(?P<person>\d+)_c\d_"
    small.set(
        prepare_data__folder__train=name + "00[456].*|.*/broken.*",
        prepare_data__folder__query=name + "001.*",
        prepare_data__folder__gallery=name + "00[23].*",
    )
    told = go(small, "prepare-data", "mesh-extract", "render-views", "evaluate")
    assert "undefined: no image's camera is known" in told

    # Identities and cameras: two of them become the validation pair.
    small.set(
        prepare_data__folder__train=r"cam (?P<camera>\d)/(?:(?P<person>\d+)_c|broken).*",
        prepare_data__folder__query=None,
        prepare_data__folder__gallery=None,
        prepare_data__val_identities=2,
    )
    go(small, "prepare-data", *LATER_STAGES[:-1])
    done = small.run("evaluate", "--no-progress")
    assert done.code == 2 and "the data set has no such images; set it to val" in done.err
    small.set(evaluate__split="val")
    told = go(small, "evaluate")
    assert "Retrieval (%)" in told and "undefined" not in told
    metrics = small.metrics()
    assert set(FIGURES) <= set(metrics["joint"]) and 0 < metrics["joint"]["mAP"] <= 100
    assert (curves / "ari.tsv").exists()
    assert (small.folder / "plots" / "evaluate" / "ranked_lists.png").exists()


def test_one_body_for_everybody_with_errors(small: SmallProject) -> None:
    write_crops(small.folder / "crops")
    small.set(
        paths__dataset="crops",
        prepare_data__dataset="folder",
        prepare_data__folder__train=r"cam (?P<camera>\d)/(?P<person>\d+)_c.*",
        prepare_data__val_identities=2,
        mesh_extract__estimator="mean_pose",
        mesh_extract__heading_noise_deg=20.0,
        render_views__yaws_deg=[0, 45, 180],
        evaluate__split="val",
        **A_FEW_STEPS,
    )
    go(small, "prepare-data", "fit-regressor", *LATER_STAGES)
    assert small.metrics()["views"]["reconstruction_l1"] > 0
    done = small.run("generate", str(next((small.folder / "crops").glob("*/*.jpg"))))
    assert done.code == 0, (done.out, done.err)
    assert "body by: mean_pose" in done.out
