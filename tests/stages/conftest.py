"""A project small enough to be run in a test's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.code import code_fingerprint
from stages.shared.run import Options, StageRun, open_stage
from tests.stages.odd_project import checkpoints
from tests.stages.small_project import small
from tests.stages.smoke_project import SmokeProject

__all__ = ["checkpoints", "small"]

PARAMS = """\
paths:
  dataset: null
  images: data/images
  manifest: data/manifest.parquet
  truth: data/truth.parquet
  regressor: models/regressor.pt
  mesh: data/mesh
  views: data/views
  encoder: models/encoder.pt
  generator: models/generator.pt
  joint: models/joint.pt
  metrics: metrics.json
  plots: plots
  fingerprints: fingerprints
mesh_extract:
  splits: [train]
  limits: {score: 0.5}
fit_regressor:
  seed: 1
"""

CODE = {"toy/mesh_extract.py": "from toy import loss\n", "toy/loss.py": "x = 1\n"}


@dataclass(frozen=True)
class Limits:
    score: float


@dataclass(frozen=True)
class Settings:
    """The section `mesh_extract` of the small project."""

    splits: tuple[str, ...]
    limits: Limits


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with a manifest, and the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENREID_SAVE_SECONDS", "0")
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.yaml").touch()
    for name, text in CODE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("stages.shared.run.code_fingerprint", _of_toy)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.parquet").write_bytes(b"rows")
    return tmp_path


def _of_toy(module: str) -> dict[str, str]:
    """In the place of the stage's own code, which a test cannot edit."""
    return code_fingerprint(module.replace("stages.", "toy."), ("toy",))


def options(*, fresh: bool = False, workers: int = 1, device: str = "cpu") -> Options:
    return Options(fresh=fresh, device=device, workers=workers, progress=False)


def opened(**changes: Any) -> AbstractContextManager[StageRun]:
    """`mesh-extract` of the small project."""
    inputs, settings_class = changes.pop("inputs", ("manifest",)), changes.pop("settings_class", Settings)
    return open_stage("mesh-extract", options(**changes), settings_class, inputs=inputs)


@pytest.fixture
def run(project: Path) -> Iterator[StageRun]:
    with opened() as run:
        yield run


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> SmokeProject:
    """The whole graph, run once at smoke size."""
    project = SmokeProject(tmp_path_factory.mktemp("smoke") / "project")
    done = project.command("dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    return project
