"""Pieces made by the nodes of a real Ray cluster are the same bytes as those that this machine makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genreid.body.body import load_body
from genreid.mesh.regressor import regressor_checkpoint
from genreid.training.regressor import build_regressor
from pipeline.artifacts import write_torch
from stages import mesh_extract
from tests.stages.odd_project import NUM_IMAGES, write_inputs
from tests.stages.ray_nodes import Nodes, ray_nodes, shard_bytes
from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import REGRESSOR

pytestmark = pytest.mark.slow
FILES = {"mesh-extract": "data/mesh", "render-views": "data/views"}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_nodes(2) as nodes:
        yield nodes


@pytest.fixture
def project(small: SmallProject, monkeypatch: pytest.MonkeyPatch, nodes: Nodes) -> SmallProject:
    """Images and a small network that looks at them, five images at a time."""
    monkeypatch.setattr(mesh_extract, "_IMAGES_PER_PIECE", 5)
    monkeypatch.setenv("GENREID_RAY", nodes.address)
    write_inputs(small)
    network = regressor_checkpoint(build_regressor(REGRESSOR, 1), load_body("open"))
    write_torch(small.folder / "models" / "regressor.pt", network)
    return small


def made(project: SmallProject, stage: str, *options: str) -> dict[str, bytes]:
    """The shards that the stage makes, which were not there before."""
    folder = project.folder / FILES[stage]
    for path in folder.iterdir():
        path.unlink()
    done = project.run(stage, "--no-progress", *options)
    assert done.code == 0, done.err
    assert not done.err
    return shard_bytes(folder)


@pytest.mark.parametrize("estimator", ["regressor", "mean_pose"])
def test_meshes_are_the_same_bytes_from_everybody(project: SmallProject, estimator: str) -> None:
    project.set(mesh_extract__estimator=estimator, mesh_extract__images_per_shard=NUM_IMAGES - 1)
    here = made(project, "mesh-extract")
    assert len(here) == 2
    assert made(project, "mesh-extract", "--on", "ray", "--workers", "0") == here
