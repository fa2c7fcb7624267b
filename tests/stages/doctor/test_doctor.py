"""`genreid doctor`: what it finds of a run that can start, and of runs that cannot."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from unittest.mock import Mock

import pytest
import torch

from genreid.training.needs import GPU_BYTES
from pipeline.artifacts import write_torch
from pipeline.params import load_params
from pipeline.recipes import load_overrides, write_overrides
from stages.doctor import checks
from stages.doctor.checks import CHECKS, examine
from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, State
from stages.doctor.room import needs_of
from stages.shared.conflicts import conflicts
from stages.shared.run import Options, Project
from tests.genreid.licensed import smpl_arrays
from tests.genreid.mesh.romp_files import write_files
from tests.stages.doctor.places import make_repository
from tests.stages.small_project import ROOT, SmallProject

NEEDS_ROMP = pytest.mark.skipif(not importlib.util.find_spec("romp"), reason="simple-romp is not installed")


def findings(*names: str) -> dict[str, Finding]:
    """What the checks of these names find in the current folder's project."""
    configuration = Configuration(Project.open(Options()))
    chosen = [check for check in CHECKS if check.name in names]
    assert len(chosen) == len(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "CHECKS", tuple(chosen))
        return dict(examine(configuration))


def test_the_configured_run_can_start(small: SmallProject) -> None:
    make_repository(small.folder)
    outcome = small.run("doctor")
    assert outcome.code == 0, outcome.out + outcome.err
    assert "The configured run can start: dvc repro" in outcome.out
    for check in CHECKS:
        assert f" {check.name} " in outcome.out
    assert "missing" not in outcome.out and "images, drawn by the run" in outcome.out


@pytest.mark.slow
def test_what_is_missing_is_told_with_its_remedy_and_code_1(small: SmallProject) -> None:
    small.set(prepare_data__dataset="market1501", mesh_extract__estimator="romp")
    outcome = small.run("doctor")
    assert outcome.code == 1
    last = outcome.out.strip().splitlines()[-1]
    assert last.startswith("The configured run cannot start: ")
    assert "ROMP" in last and "data set" in last and "torch" not in last
    assert "paths.dataset is null" in outcome.out


@pytest.mark.parametrize(
    ("changes", "name", "state", "found"),
    [
        ({}, "ROMP's weights", "note", "ROMP.pkl'"),
        ({"mesh_extract__estimator": "romp"}, "ROMP's weights", "missing", "ROMP.pkl from https://"),
        ({"mesh_extract__estimator": "romp"}, "ROMP's body", "missing", "https://smpl.is.tue.mpg.de"),
        ({"prepare_data__dataset": "folder"}, "data set", "missing", "paths.dataset"),
        ({"prepare_data__dataset": "folder"}, "mesh estimator", "note", "synthetic persons"),
        ({"prepare_data__body": "gone.npz"}, "body", "missing", "gone.npz"),
        (
            {"train_joint__batch_size": "many"},
            "params",
            "missing",
            "batch_size: expected an integer",
        ),
        ({"train_joint__lr": -0.1}, "params", "missing", "train_joint.lr is -0.1: expected more than 0"),
        ({"prepare_data__folder__train": "("}, "params", "missing", "is no regular expression"),
        (
            {"train_joint__contrast__memory": "cluster", "train_joint__cluster_on": "memory"},
            "params",
            "missing",
            "set `train_joint.cluster_on: fresh`",
        ),
        (
            {"pretrain_generator__generator__paints": "views"},
            "params",
            "missing",
            "set train_joint.contrast.mixup to body",
        ),
        ({"mesh_extract__splits": ["train"]}, "params", "missing", "add query, gallery, val_query"),
        ({"render_views__splits": ["query"]}, "params", "missing", "add train"),
        (
            {"prepare_data__dataset": "market1501", "evaluate__split": "val"},
            "params",
            "missing",
            "set it to test",
        ),
        (
            {"prepare_data__dataset": "folder", "prepare_data__val_identities": 5},
            "params",
            "missing",
            "set it to val",
        ),
        ({"pretrain_encoder__encoder__pretrained": "gone.pt"}, "encoder weights", "missing", "gone.pt"),
        (
            {"pretrain_encoder__import_from": {"path": "gone.pth", "layout": "auto"}},
            "encoder weights",
            "missing",
            "gone.pth: no such file",
        ),
        ({"render_views__backend": "pytorch3d"}, "renderer", "missing", "does not work"),
        (
            {"train_joint__oracle": "true_labels"},
            "oracle",
            "note",
            "true_labels: training will be told of the truth: set train_joint.oracle: none",
        ),
        (
            {
                "train_joint__oracle": "true_views",
                "train_joint__contrast__views": "warped",
                "prepare_data__dataset": "market1501",
            },
            "params",
            "missing",
            "only the synthetic benchmark has true views: set train_joint.oracle to none",
        ),
    ],
)
def test_each_thing_by_itself(
    small: SmallProject, changes: dict[str, Any], name: str, state: str, found: str
) -> None:
    if changes.get("render_views__backend") and _has_pytorch3d():
        pytest.skip("pytorch3d works here")
    small.set(**changes)
    finding = findings(name)[name]
    assert finding.state == state
    assert found in f"{finding.found}: {finding.to_do}"
    assert finding.to_do


def test_weights_of_another_network_are_found_before_the_run(small: SmallProject) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, small.folder / "other.pt")
    changes = {"backbone": "resnet18", "base_width": 64, "stem": "imagenet", "pretrained": "other.pt"}
    small.set(**{f"pretrain_encoder__encoder__{key}": value for key, value in changes.items()})
    finding = findings("encoder weights")["encoder weights"]
    assert finding.state == "missing" and "conv1.weight is missing" in finding.found


def test_without_the_package_nobody_is_told_that_romp_is_chosen(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    small.set(mesh_extract__estimator="blazepose")
    finding = findings("ROMP")["ROMP"]
    assert (finding.state, finding.to_do) == ("note", "nothing: mesh_extract.estimator is blazepose")
    assert finding.found == "the estimator romp needs the package simple-romp, which is not installed"
    small.set(mesh_extract__estimator="romp")
    finding = findings("ROMP")["ROMP"]
    assert finding.state == "missing" and finding.to_do.startswith("run `make romp`")


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluate__split": "val"},  # the benchmark has its own
        {"prepare_data__dataset": "folder"},  # measured on training images
        {
            "prepare_data__dataset": "folder",
            "prepare_data__folder__query": "q/.*",
            "prepare_data__folder__gallery": "g/.*",
            "prepare_data__val_identities": 5,
        },
    ],
)
def test_settings_that_go_together(small: SmallProject, changes: dict[str, Any]) -> None:
    small.set(**changes)
    assert findings("params")["params"].state == "ok"


@NEEDS_ROMP
@pytest.mark.slow
def test_romp_is_tried_before_the_run(small: SmallProject, tmp_path: Path) -> None:
    files = write_files(tmp_path, smpl_arrays(num_vertices=400))
    small.set(
        prepare_data__body=str(files.smpl),
        mesh_extract__estimator="romp",
        mesh_extract__romp__weights=str(files.weights),
        mesh_extract__romp__smpl=str(files.smpl),
    )
    names = ("body", "mesh estimator", "ROMP", "ROMP's weights", "ROMP's body")
    assert {finding.state for finding in findings(*names).values()} == {"ok"}
    small.set(prepare_data__body="open")
    finding = findings("mesh estimator")["mesh estimator"]
    assert finding.state == "missing" and "prepare_data.body is another one" in finding.found
    files.weights.write_bytes(b"cut short")
    small.set(prepare_data__body=str(files.smpl))
    finding = findings("mesh estimator")["mesh estimator"]
    assert finding.state == "missing" and "holds no weights of ROMP" in finding.found


def _has_pytorch3d() -> bool:
    from genreid.render.pytorch3d import why_unusable

    return why_unusable(torch.device("cpu")) is None


def test_imagenet_weights_in_the_cache_need_no_network(
    small: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_arguments: object, **_options: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("socket.create_connection", unreachable)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    changes = {"backbone": "resnet50", "base_width": 64, "stem": "imagenet", "pretrained": "imagenet"}
    small.set(**{f"pretrain_encoder__encoder__{key}": value for key, value in changes.items()})
    finding = findings("encoder weights")["encoder weights"]
    assert finding.state == "missing" and "download.pytorch.org cannot be reached" in finding.found
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet50-0676ba61.pth").write_bytes(b"")
    assert findings("encoder weights")["encoder weights"].state == "ok"


def test_what_is_to_be_done_is_told_of_what_is_not_in_order(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {state: Finding(state, f"{state} it is", f"remedy of {state}") for state in get_args(State)}
    made = [Check(state, Mock(return_value=finding)) for state, finding in found.items()]
    monkeypatch.setattr(checks, "CHECKS", made)
    outcome = small.run("doctor")
    assert outcome.code == 1
    told = [state for state in found if f"remedy of {state}" in outcome.out]
    assert told == ["note", "missing"]


def test_too_little_disk_and_memory(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1e6))
    little = SimpleNamespace(available=1e8, total=2e8)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    found = findings("disk", "memory")
    assert found["disk"].state == found["memory"].state == "missing"
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5e18))
    assert findings("disk")["disk"].found.startswith("5000000000.0 GB free, the run needs about 0.")
    little.total = 1e12
    assert findings("memory")["memory"].state == "note", "it fits, once other programs have ended"


def test_a_data_set_that_is_not_there_counts_as_its_authors_count_it(small: SmallProject) -> None:
    small.set(prepare_data__dataset="market1501")
    assert Configuration(Project.open(Options())).num_images == 12_936 + 3_368 + 19_732
    small.set(prepare_data__dataset="folder")
    assert Configuration(Project.open(Options())).num_images == 0


@pytest.mark.parametrize("recipe", ["market1501", "dukemtmc", "msmt17", "folder", "photographs_gpu"])
def test_the_head_of_a_recipe_says_what_its_values_are(small: SmallProject, recipe: str) -> None:
    path = Path(shutil.copy2(ROOT / "params.yaml", small.folder))  # at full size again
    write_overrides(path, load_overrides(load_params(path), ROOT / "recipes", recipe))
    configuration = Configuration(Project.open(Options()))
    assert list(conflicts(configuration.settings)) == []
    needs = needs_of(configuration)
    head = (ROOT / "recipes" / f"{recipe}.yaml").read_text()
    said = re.search(r"expected: (\d+) GB in the warm-up, (\d+) GB in the two generator stages", head)
    assert said is not None
    warm_up, joint = (configuration.settings[name] for name in ("pretrain_encoder", "train_joint"))
    of_warm_up = f"({warm_up.identities_per_batch} identities × {warm_up.images_per_identity})"
    assert f"{of_warm_up} and {joint.batch_size} in joint" in head
    for gigabytes, expected in zip(said.groups(), (needs.warm_up, needs.joint), strict=True):
        assert (expected + GPU_BYTES) / 1e9 == pytest.approx(int(gigabytes), rel=0.05)


def test_a_checkpoint_that_an_oracle_taught_is_told(
    small: SmallProject, checkpoints: dict[str, dict[str, Any]]
) -> None:
    assert findings("oracle")["oracle"] == Finding("ok", "none: training is told nothing of the truth")
    for oracle, state, found in (
        ("none", "ok", "none, and models/joint.pt was told nothing of the truth"),
        ("true_views", "note", "models/joint.pt: it learnt from an oracle (true_views)"),
    ):
        write_torch(small.folder / "models" / "joint.pt", checkpoints["joint"] | {"oracle": oracle})
        finding = findings("oracle")["oracle"]
        assert finding.state == state and finding.found.startswith(found)
    (small.folder / "models" / "joint.pt").write_bytes(b"no checkpoint")
    finding = findings("oracle")["oracle"]
    assert finding.state == "note", "the run makes another one"
    assert "models/joint.pt: no readable checkpoint" in finding.found and "train-joint" in finding.to_do
