"""Oracles: what joint training is handed of the truth, when it is handed nothing, and who tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from genreid.body.body import load_body
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.data.transforms import denormalise
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.true_views import true_views
from genreid.models.checkpoint import joint_checkpoint, load_encoder, load_generator, oracle_of
from genreid.progress import Report
from genreid.render.views import ViewStore
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.truth import truth_table
from genreid.training import joint
from genreid.training.loader import Holds
from pipeline.artifacts import write_table, write_torch
from pipeline.code import code_fingerprint
from pipeline.params import load_params
from tests.genreid.synthetic.conftest import small_settings
from tests.stages.odd_project import PREPARED, refused, write_checkpoints, write_inputs
from tests.stages.small_project import ROOT, SmallProject

TOLD = "learnt from an oracle (true_labels), which shows what limits a gain and is no result of the method"


class Given:
    """In the place of the loop: keeps what it was given, and learns nothing."""

    def __call__(
        self, networks: Any, images: Any, loader: Any, settings: Any, **named: Any
    ) -> Iterator[Report]:
        self.loader, self.images, self.named = loader, images, named
        yield Report(0, 1, {"loss/mark": 0.5}, {})


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    loop = Given()
    monkeypatch.setattr(joint, "train_joint", loop)
    return loop


@pytest.fixture
def project(small: SmallProject, checkpoints: dict[str, dict[str, Any]]) -> SmallProject:
    """Images of persons 3, 7 and 9, an unknown one and a distractor; no truth but an empty table."""
    write_inputs(small)
    write_checkpoints(small, checkpoints)
    name_persons(small, [3, 3, 9, 9, None, 7, 7, 0, 3, 9, 7, 7])
    return small


def name_persons(project: SmallProject, persons: list[int | None]) -> None:
    path = project.folder / "data" / "manifest.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("person_id")
    write_table(path, table.set_column(place, table.schema.field(place), pa.array(persons, pa.int32())))


def test_without_an_oracle_nothing_of_the_truth_is_read(project: SmallProject, given: Given) -> None:
    (project.folder / "data" / "truth.parquet").unlink()
    outcome = project.run("train-joint", "--no-progress")
    assert outcome.code == 0, outcome.err
    assert given.named["true_labels"] is None and "oracle" not in outcome.out
    assert oracle_of(torch.load(project.folder / "models" / "joint.pt", weights_only=True)) is None


def test_no_run_depends_on_the_truth_in_the_graph() -> None:
    graph = load_params(ROOT / "dvc.yaml").value("stages")
    assert "${paths.truth}" in graph["evaluate"]["deps"]
    for name in ("pretrain-encoder", "pretrain-generator", "train-joint"):
        assert "${paths.truth}" not in graph[name]["deps"]


@pytest.mark.parametrize(
    "loop", ["warm_up", "generator", "joint", "loader", "settings.joint", "views", "targets"]
)
def test_no_line_of_training_can_reach_the_truth(loop: str) -> None:
    """Whatever it imports, however far away, neither draws the benchmark nor measures against it."""
    reached = code_fingerprint(f"genreid.training.{loop}")
    assert f"genreid.training.{loop}" in reached
    assert not [
        name for name in reached if name.startswith(("genreid.synthetic", "genreid.evaluation", "stages"))
    ]


def test_true_identities_take_the_place_of_clusters(project: SmallProject, given: Given) -> None:
    project.set(train_joint__oracle="true_labels")
    (project.folder / "data" / "truth.parquet").unlink()  # the manifest has them
    outcome = project.run("train-joint", "--no-progress")
    assert outcome.code == 0, outcome.err
    assert given.named["true_labels"].labels.tolist() == [0, 0, 2, 2, -1, 1, 1, -1, 0, 2, 1, 1]
    assert f"warning: joint training: it {TOLD}" in outcome.out
    told = json.loads((project.folder / "provenance" / "train-joint.json").read_text())
    assert told["oracle"] == "true_labels" and told["warnings"] == [f"joint training: it {TOLD}"]
    saved = torch.load(project.folder / "models" / "joint.pt", weights_only=True)
    assert oracle_of(saved) == "true_labels"
    load_encoder(saved), load_generator(saved)


@pytest.mark.slow
def test_true_views_are_those_that_evaluation_draws(
    small: SmallProject, checkpoints: Any, given: Given
) -> None:
    """The batch's second views, inside the person; around it stands what stands around a warped one."""
    small.set(
        prepare_data__synthetic__train_identities=2,
        prepare_data__synthetic__val_identities=0,
        prepare_data__synthetic__test_identities=1,
        mesh_extract__estimator="ground_truth",
        mesh_extract__splits=["train"],
        render_views__splits=["train"],
        render_views__yaws_deg=[0, 90, 225],
        train_joint__oracle="true_views",
        train_joint__contrast__views="warped",
    )
    write_checkpoints(small, checkpoints)
    for stage in ("prepare-data", "mesh-extract", "render-views", "train-joint"):
        outcome = small.run(stage, "--no-progress")
        assert outcome.code == 0, outcome.err
    assert "oracle (true_views)" in outcome.out and given.named["true_labels"] is None

    manifest = Manifest.from_table(pq.read_table("data/manifest.parquet")).select("train")
    images = ImageSet(Path("data/images"), manifest)
    views = ViewStore(sorted(Path("data/views").glob("part-*.parquet")))
    truth = true_views(pq.read_table("data/truth.parquet"), load_body("open"))
    viewed = ViewedImages(images, views, truth)
    index, others, yaws = np.array([1, 4, 6]), np.array([5, 0, 2]), np.array([90, 225, 90])
    batch = given.loader.batch_at(index, yaws, Holds(warped=True), backgrounds=others)
    shown, around = denormalise(batch.warped).astype(int), denormalise(batch.background).astype(int)
    for row, (position, yaw) in enumerate(zip(index, yaws, strict=True)):
        (picture,), (inside,) = viewed.true_views(np.array([position]), int(yaw))
        # At this size, the native one, no pixel is shared.
        assert 100 < inside.sum() < inside.size / 2
        assert np.abs(shown[row] - picture)[inside].max() <= 1
        assert np.abs(shown[row] - around[row])[~inside].max() <= 1


@pytest.mark.parametrize(
    ("persons", "found"), [([None] * 12, "show 0 known identities"), ([5, 0] * 6, "show 1 known identities")]
)
def test_without_identities_there_is_no_one_to_tell_of(
    project: SmallProject, persons: list[int | None], found: str
) -> None:
    project.set(train_joint__oracle="true_labels")
    name_persons(project, persons)
    assert refused(project, "train-joint") == (
        f"train_joint.oracle is true_labels, and the training images of tiny {found}: "
        "set `train_joint.oracle: none`"
    )


def test_photographs_have_no_true_views(project: SmallProject) -> None:
    project.set(train_joint__oracle="true_views_and_labels", train_joint__contrast__views="warped")
    assert refused(project, "train-joint") == (
        "train_joint.oracle is true_views_and_labels, and tiny has no truth about other sides of its "
        "persons, as the synthetic benchmark alone has it: set `train_joint.oracle: none`"
    )
    (project.folder / "data" / "truth.parquet").unlink()
    assert refused(project, "train-joint") == (
        "data/truth.parquet is missing: run `dvc repro prepare-data` first"
    )


def test_a_truth_of_other_images_is_told(project: SmallProject) -> None:
    project.set(train_joint__oracle="true_views", train_joint__contrast__views="warped")
    benchmark = Benchmark(load_body("open"), small_settings(), seed=3)
    (shot, *_) = benchmark.shots
    write_table(
        project.folder / "data" / "truth.parquet", truth_table(benchmark, [shot], [benchmark.render(shot)])
    )
    assert refused(project, "train-joint") == (
        "data/truth.parquet lacks 12 images (00.png, …); make it again with `dvc repro --force prepare-data`"
    )


def test_true_views_need_warped_ones_to_stand_for(project: SmallProject) -> None:
    project.set(train_joint__oracle="true_views", train_joint__contrast__views="generated")
    message = refused(project, "train-joint")
    assert "contrast.views is `generated`: set `train_joint.contrast.views: warped`" in message


@pytest.mark.parametrize("oracle", ["none", "true_labels"])
def test_figures_of_what_an_oracle_taught_say_so(
    project: SmallProject, checkpoints: dict[str, dict[str, Any]], oracle: str
) -> None:
    saved = checkpoints["joint"] | {"oracle": oracle}
    write_torch(project.folder / "models" / "joint.pt", saved)
    outcome = project.run("evaluate", "--no-progress")
    assert outcome.code == 0, outcome.err
    told = oracle != "none"
    provenance = json.loads((project.folder / "provenance" / "evaluate.json").read_text())
    assert project.metrics().get("oracle") == provenance.get("oracle") == (oracle if told else None)
    for said in (outcome.out, project.run("summary").out):
        assert (f"warning: joint training: it {TOLD}" in said) == told


def test_a_joint_checkpoint_that_does_not_say_is_refused(
    project: SmallProject, checkpoints: dict[str, dict[str, Any]]
) -> None:
    saved = {name: value for name, value in checkpoints["joint"].items() if name != "oracle"}
    write_torch(project.folder / "models" / "joint.pt", saved)
    assert refused(project, "evaluate") == "models/joint.pt: has no 'oracle', it is damaged; train it again"


def test_a_joint_checkpoint_is_told_nothing_unless_it_says_so(checkpoints: dict[str, dict[str, Any]]) -> None:
    networks = load_encoder(checkpoints["encoder"]), *load_generator(checkpoints["generator"])
    assert oracle_of(joint_checkpoint(*networks, PREPARED)) is None
    assert oracle_of(joint_checkpoint(*networks, PREPARED, oracle="true_views")) == "true_views"
    assert oracle_of(checkpoints["encoder"]) is None and oracle_of({"state_dict": 1}) is None
