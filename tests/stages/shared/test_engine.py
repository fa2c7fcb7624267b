"""`--on local`, the default: nothing of it needs Ray."""

from __future__ import annotations

import sys

import pytest

from genreid.body.body import load_body
from genreid.mesh.regressor import regressor_checkpoint
from genreid.training.regressor import build_regressor
from pipeline.artifacts import write_torch
from tests.stages.odd_project import write_inputs
from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import REGRESSOR, fill


def test_without_ray_the_stages_work_as_always(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    write_inputs(small)
    network = regressor_checkpoint(build_regressor(REGRESSOR, 1), load_body("open"))
    write_torch(small.folder / "models" / "regressor.pt", network)
    for stage in ("mesh-extract", "render-views"):
        assert small.run(stage, "--no-progress").code == 0
    small.set(paths__dataset="data/images", prepare_data__dataset="folder", paths__images="data/made")
    assert small.run("prepare-data", "--no-progress").code == 0
    ended = small.run("prepare-data", "--on", "ray", "--fresh")
    assert ended.code == 2
    assert ended.err == 'error: --on ray: Ray is not installed: pip install "genreid[ray]"\n'


def test_without_ray_a_folder_is_embedded(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    fill(small.folder)
    assert small.run("embed", "crops").code == 0
