"""The whole graph at smoke size, through DVC."""

from __future__ import annotations

import json
import math
import shutil
from copy import copy
from pathlib import Path

import pytest

from genreid.models.checkpoint import matches_of
from pipeline.artifacts import read_torch
from pipeline.params import load_params, section
from stages.cli import STAGES
from stages.shared.matches import curves_from
from stages.shared.results import FIGURES
from stages.shared.run import PRODUCERS, Paths, section_name
from tests.stages.smoke_project import SmokeProject

pytestmark = pytest.mark.slow

NAMES = [stage.__name__.replace("_", "-") for stage in STAGES]


def test_every_artifact_and_every_picture_is_there(smoke: SmokeProject) -> None:
    paths = section(load_params(smoke.folder / "params.yaml"), "paths", Paths)
    for key in PRODUCERS:
        assert (smoke.folder / getattr(paths, key)).exists(), key
    assert set(smoke.finished()) == set(NAMES)
    for picture in ("prepare-data/contact_sheet.png", "evaluate/ranked_lists.png", "evaluate/views.png"):
        assert (smoke.folder / paths.plots / picture).stat().st_size > 1000, picture
    left = [path.name for path in smoke.state("").iterdir() if path.is_dir()]
    assert left == [], "a stage that succeeded left its state behind"
    assert not list(smoke.folder.rglob("*.tmp"))


def test_checkpoints_know_what_their_similarities_say(smoke: SmokeProject) -> None:
    for name in ("encoder", "joint"):
        path = smoke.folder / "models" / f"{name}.pt"
        curves = curves_from(matches_of(read_torch(path, "")), name, "")
        assert set(curves) == {"image", "image centred", "mirror", "mirror centred"}
        assert all(curve.source == "pseudo-identities" for curve in curves.values())


def test_metrics_are_flat_and_finite(smoke: SmokeProject) -> None:
    metrics = json.loads((smoke.folder / "metrics.json").read_text())
    assert list(metrics)[-1] == "digest"
    del metrics["digest"]  # no metric of DVC's
    for encoder in ("warm_up", "joint"):
        assert list(metrics[encoder]) == list(FIGURES)
    assert {"warm_up_hits_0_60", "joint_spread_generated", "joint_spread_true"} <= set(metrics["invariance"])
    assert metrics["recommended"]["views"] in ("image", "mirror", "copies", "turned")
    assert {"warm_up_turned_mAP", "validation_copies_centred_rank_1"} <= set(metrics["test_views"])
    # With so few images a figure may have nothing to look at, and a reason stands in its place.
    said = {"recommended", "backgrounds_unmeasured", "colours_unmeasured"}
    for key in metrics.keys() - said:
        for name, value in metrics[key].items():
            assert isinstance(value, int | float) and math.isfinite(value), name
    assert 0 <= metrics["matches"]["equal_error_rate"] <= 100
    shown = smoke.command("dvc", "metrics", "show", "--json")
    assert json.loads(shown.stdout)[""]["data"]["metrics.json"]["data"] == metrics


def test_dvc_draws_the_plots(smoke: SmokeProject) -> None:
    done = smoke.command("dvc", "plots", "show")
    assert done.returncode == 0, done.stderr
    page = (smoke.folder / "dvc_plots" / "index.html").read_text()
    # DVC writes names without blanks
    curves = (
        "CMC",
        "Same_person_or_not",
        "Hits_by_viewpoint",
        "Spread_over_rotations",
        "Mixtures",
        "clusters.tsv",
        "image.tsv",
    )
    pictures = ("ranked_lists.png", "views.png", "contact_sheet.png", "changed_lists.png", "mixtures.png")
    for name in (*curves, *pictures):
        assert name in page, name


def test_the_summary_is_the_table(smoke: SmokeProject) -> None:
    done = smoke.command("genreid", "summary")
    metrics = json.loads((smoke.folder / "metrics.json").read_text())
    row = next(line for line in done.stdout.splitlines() if "warm-up" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][1:] == [
        f"{metrics['warm_up'][figure]:.1f}" for figure in FIGURES
    ]


def test_a_second_repro_runs_the_first_stage_alone(smoke: SmokeProject) -> None:
    smoke.command("dvc", "repro").check_returncode()  # other tests may have run a stage past DVC
    before, lock = smoke.finished(), (smoke.folder / "dvc.lock").read_bytes()
    done = smoke.command("dvc", "repro")
    assert done.returncode == 0 and done.stdout.count("Running stage") == 1, done.stdout
    assert "Running stage 'fingerprint-code'" in done.stdout
    assert smoke.finished() == before and (smoke.folder / "dvc.lock").read_bytes() == lock


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("evaluate.max_rank", 20, ["evaluate"]),
        ("train_joint.seed", 2, ["train-joint", "evaluate"]),
    ],
)
def test_a_changed_section_runs_its_stage_and_later_ones(
    smoke: SmokeProject, key: str, value: int, expected: list[str]
) -> None:
    old = load_params(smoke.folder / "params.yaml").value(key)
    before = smoke.finished()
    smoke.set(key, value)
    try:
        status = json.loads(smoke.command("dvc", "status", "--json").stdout)
        assert expected[0] in status and set(status) <= {"fingerprint-code", *expected}
        done = smoke.command("dvc", "repro")
        assert done.returncode == 0, done.stdout + done.stderr
        after = smoke.finished()
        assert [name for name in NAMES if after[name] != before[name]] == expected
    finally:
        smoke.set(key, old)
        smoke.command("dvc", "repro").check_returncode()  # from the run cache


def test_prepared_data_is_the_same_whatever_the_number_of_workers(smoke: SmokeProject) -> None:
    files = ["data/manifest.parquet", "data/truth.parquet", "data/mesh", "data/views"]
    before = {file: contents(smoke, file) for file in files}
    for stage in ("prepare-data", "mesh-extract", "render-views"):
        smoke.command("genreid", stage, "--fresh", "--workers", "1").check_returncode()
    assert {file: contents(smoke, file) for file in files} == before


def contents(smoke: SmokeProject, file: str) -> list[bytes]:
    path = smoke.folder / file
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [one.read_bytes() for one in files]


@pytest.mark.parametrize("stage", ["pretrain-generator", "train-joint"])
def test_two_ranks_begin_as_one_process_does(smoke: SmokeProject, tmp_path: Path, stage: str) -> None:
    """By the mean losses of the first epoch, in which roundings grow by now; `test_ranks` of training holds
    every step, in float64."""
    one, two = copy(smoke), copy(smoke)
    for ranks, other in ((1, one), (2, two)):
        other.folder = shutil.copytree(
            smoke.folder, tmp_path / str(ranks), ignore=shutil.ignore_patterns(".dvc")
        )
        # bfloat16, which some processors learn in by default, rounds far more coarsely
        other.set(f"{section_name(stage)}.precision", "float32")
        done = other.command("genreid", stage, "--fresh", "--no-progress", "--ranks", str(ranks))
        assert done.returncode == 0, done.stderr
    assert two.provenance(stage)["ranks"] == 2 and "ranks" not in one.provenance(stage)
    losses = first_losses(one, stage)
    assert len(losses) > 2 and first_losses(two, stage) == pytest.approx(losses, rel=0.1)


def first_losses(smoke: SmokeProject, stage: str) -> dict[str, float]:
    curves = sorted((smoke.folder / "plots" / stage / "plots" / "metrics").glob("*/*.tsv"))
    return {
        f"{curve.parent.name}/{curve.stem}": float(curve.read_text().splitlines()[1].split("\t")[1])
        for curve in curves
    }


def test_an_experiment_is_run_shown_and_leaves_the_graph_alone(smoke: SmokeProject) -> None:
    """DVCLive inside `dvc exp run` adds nothing to git and rewrites no dvc.yaml."""
    smoke.commit("A run")
    graph = (smoke.folder / "dvc.yaml").read_text()

    done = smoke.command("dvc", "exp", "run", "--name", "other", "-S", "train_joint.seed=3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (smoke.folder / "dvc.yaml").read_text() == graph
    changed = smoke.command("git", "status", "--porcelain").stdout.split()
    assert set(changed[1::2]) <= {"dvc.lock", "metrics.json", "params.yaml"}

    shown = smoke.command("dvc", "exp", "show", "--csv", "--num", "1").stdout
    header, *rows = (line.split(",") for line in shown.splitlines())
    assert {"joint.mAP", "warm_up.mAP", "train_joint.seed"} <= {name.split(":")[-1] for name in header}
    assert any("other" in row for row in rows)

    smoke.set("train_joint.seed", 1)
    smoke.command("dvc", "repro").check_returncode()  # from the run cache
