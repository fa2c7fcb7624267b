"""`genreid doctor`: what it finds of a run that can start, and of runs that cannot."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stages import _checks
from stages._checks import CHECKS, Configuration, Finding, examine
from stages._needs import Workload, estimate_needs
from stages._using import open_project
from tests.genreid.models.small import DISCRIMINATOR, GENERATOR, encoder_settings
from tests.stages.small_project import SmallProject, small

__all__ = ["small"]


def findings(*names: str) -> dict[str, Finding]:
    """What the checks of these names find in the current folder's project."""
    configuration = Configuration(open_project())
    chosen = [check for check in CHECKS if check.name in names]
    assert len(chosen) == len(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_checks, "CHECKS", tuple(chosen))
        return dict(examine(configuration))


def test_the_configured_run_can_start(small: SmallProject) -> None:
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
        ({}, "ROMP", "note", "romp"),
        ({"mesh_extract__estimator": "romp"}, "ROMP", "missing", "romp"),
        ({"prepare_data__dataset": "folder"}, "data set", "missing", "paths.dataset"),
        ({"prepare_data__dataset": "folder"}, "mesh estimator", "note", "synthetic persons"),
        ({"prepare_data__body": "gone.npz"}, "body", "missing", "gone.npz"),
        ({"prepare_data__body": "gone.npz"}, "mesh estimator", "missing", "open body alone"),
        (
            {"train_joint__batch_size": "many"},
            "params",
            "missing",
            "batch_size: expected an integer",
        ),
        ({"pretrain_encoder__encoder__pretrained": "gone.pt"}, "encoder weights", "missing", "gone.pt"),
        (
            {"pretrain_encoder__import_from": {"path": "gone.pth", "layout": "auto"}},
            "encoder weights",
            "missing",
            "gone.pth: no such file",
        ),
        ({"render_views__backend": "pytorch3d"}, "renderer", "missing", "does not work"),
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


def test_too_little_disk_and_memory(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1e6))
    little = SimpleNamespace(available=1e8, total=2e8)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    found = findings("disk", "memory")
    assert found["disk"].state == found["memory"].state == "missing"
    little.total = 1e12
    assert findings("memory")["memory"].state == "note", "it fits, once other programs have ended"


def workload(**changes: Any) -> Workload:
    values: dict[str, Any] = {
        "num_images": 1000,
        "native_px": (128, 64),
        "training_px": (64, 32),
        "num_yaws": 8,
        "warm_up_batch": 64,
        "joint_batch": 16,
        "is_synthetic": False,
        "num_workers": 2,
        "encoder": encoder_settings(),
        "generator": GENERATOR,
        "discriminator": DISCRIMINATOR,
    }
    return Workload(**{**values, **changes})


@pytest.mark.slow
def test_needs_grow_with_what_causes_them() -> None:
    base = estimate_needs(workload())
    assert estimate_needs(workload(num_images=2000)).disk > 1.5 * base.disk
    assert estimate_needs(workload(native_px=(256, 128))).disk > 3 * base.disk
    assert estimate_needs(workload(is_synthetic=True)).memory > base.memory
    larger = estimate_needs(workload(warm_up_batch=128, joint_batch=32))
    assert base.training < larger.training <= 2 * base.training
    wider = estimate_needs(workload(encoder=encoder_settings(base_width=32)))
    assert wider.training > 2 * base.training


def test_a_full_size_step_needs_what_the_field_knows() -> None:
    """A ResNet-50 at 256×128 with 256 images a batch: more than 16 GB, less than 48 (four 11 GB cards)."""
    encoder = encoder_settings(backbone="resnet50", base_width=64, stem="imagenet")
    needs = estimate_needs(workload(training_px=(256, 128), warm_up_batch=256, encoder=encoder))
    assert 16e9 < needs.training < 48e9
