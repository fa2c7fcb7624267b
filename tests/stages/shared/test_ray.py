"""Pieces made by the nodes of a real Ray cluster are the same bytes as those that this machine makes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from genreid.body.body import load_body
from genreid.mesh.regressor import regressor_checkpoint
from genreid.training.regressor import build_regressor
from pipeline.artifacts import write_torch
from stages import mesh_extract, render_views
from stages.shared import external, synthetic
from tests.stages.odd_project import NUM_IMAGES, write_inputs
from tests.stages.ray_nodes import Nodes, ray_nodes, shard_bytes, wait_until
from tests.stages.small_project import ROOT, SmallProject
from tests.stages.using.trained_project import REGRESSOR, fill

pytestmark = pytest.mark.slow
FILES = {"mesh-extract": "data/mesh", "render-views": "data/views"}
ONE_AT_A_TIME = """
import time
import stages.mesh_extract
from stages.shared import shards

def write(*table, **options):
    written(*table, **options)
    time.sleep(1)

stages.mesh_extract._IMAGES_PER_PIECE = 1
written, shards.write_table = shards.write_table, write
from stages.entry import main
main()
"""
"""Keeps a piece a second in each of its four threads."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_nodes(2) as nodes:
        yield nodes


@pytest.fixture
def project(small: SmallProject, monkeypatch: pytest.MonkeyPatch, nodes: Nodes) -> SmallProject:
    """Images and a small network that looks at them, five images at a time."""
    for stage in (mesh_extract, render_views, external, synthetic):
        monkeypatch.setattr(stage, "_IMAGES_PER_PIECE", 5)
    monkeypatch.setenv("GENREID_RAY", nodes.address)
    write_inputs(small)
    network = regressor_checkpoint(build_regressor(REGRESSOR, 1), load_body("open"))
    write_torch(small.folder / "models" / "regressor.pt", network)
    return small


def done(project: SmallProject, *arguments: str) -> None:
    ended = project.run(*arguments, "--no-progress")
    assert ended.code == 0 and not ended.err, ended.err


def made(project: SmallProject, stage: str, *options: str) -> dict[str, bytes]:
    """The shards that the stage makes, which were not there before."""
    folder = project.folder / FILES[stage]
    for path in folder.iterdir():
        path.unlink()
    done(project, stage, *options)
    return shard_bytes(folder)


def test_meshes_and_views_are_the_same_bytes_from_everybody(project: SmallProject) -> None:
    project.set(mesh_extract__estimator="regressor", mesh_extract__images_per_shard=NUM_IMAGES - 1)
    project.set(render_views__images_per_shard=NUM_IMAGES - 1)
    for stage in ("mesh-extract", "render-views"):
        here = made(project, stage)
        assert len(here) == 2 and sum(map(len, here.values())) > 4000
        assert made(project, stage, "--workers", "2") == here
        assert made(project, stage, "--on", "ray", "--workers", "2") == here


def test_a_folder_that_is_looked_over_gives_the_same_manifest(project: SmallProject) -> None:
    project.set(paths__dataset="data/images", prepare_data__dataset="folder", paths__images="data/made")
    (project.folder / "data" / "images" / "05.png").write_bytes(b"no image")
    prepared_alike(project)


def test_a_drawn_benchmark_is_the_same(project: SmallProject) -> None:
    project.set(paths__images="data/made")
    prepared_alike(project)
    assert len(list((project.folder / "data" / "made").rglob("*.png"))) > 20


def prepared_alike(project: SmallProject) -> None:
    done(project, "prepare-data")
    here = contents(project.folder / "data")
    done(project, "prepare-data", "--fresh", "--on", "ray", "--workers", "2")
    assert contents(project.folder / "data") == here


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("views", ["mirror", "turned"])
def test_embeddings_are_the_same(
    small: SmallProject, nodes: Nodes, monkeypatch: pytest.MonkeyPatch, views: str
) -> None:
    monkeypatch.setenv("GENREID_RAY", nodes.address)
    fill(small.folder)
    options = ("embed", "crops", "--batch-size", "2", "--views", views)
    tables = []
    for on in ("local", "ray"):
        ended = small.run(*options, "--on", on, "--workers", "2", "--output", f"{on}.parquet")
        assert ended.code == 0, ended.err
        tables.append(pq.read_table(f"{on}.parquet"))
    assert tables[0].equals(tables[1], check_metadata=True)
    assert tables[0]["embedding"].null_count == 1  # of the file that is no image


def test_killed_workers_nodes_and_drivers_change_nothing(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed with -9 at its piece, then the command, and a node in the run that goes on."""
    project.set(mesh_extract__estimator="regressor")
    monkeypatch.setattr(mesh_extract, "_IMAGES_PER_PIECE", 1)  # the last bits depend on a network's batch
    here = made(project, "mesh-extract")
    chunks = project.folder / ".genreid" / "state" / "mesh-extract" / "chunks"

    def kept() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in chunks.glob("*.parquet")}

    with ray_nodes(2) as nodes:
        driver = start(project, nodes)
        wait_until(lambda: len(kept()) > 0)
        pids = stop_workers(nodes)  # so that they are at a piece when the one is killed
        os.kill(pids[0], signal.SIGKILL)
        os.kill(pids[1], signal.SIGCONT)
        wait_until(lambda: len(kept()) > NUM_IMAGES // 2)
        driver.kill()
        driver.wait()
        before = kept()
        assert len(before) < NUM_IMAGES
        wait_until(lambda: nodes.worker_pids() == [])  # they end with the command

        driver = start(project, nodes)
        wait_until(lambda: len(kept()) > len(before))
        assert kept().items() >= before.items()  # none of them is made again
        pids = stop_workers(nodes)
        nodes.kill(nodes.nodes[0])
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        assert driver.wait(timeout=240) == 0
    assert shard_bytes(project.folder / FILES["mesh-extract"]) == here


def start(project: SmallProject, nodes: Nodes) -> subprocess.Popen[bytes]:
    options = ("--on", "ray", "--workers", "2", "--device", "cpu", "--no-progress")
    return subprocess.Popen(
        [sys.executable, "-c", ONE_AT_A_TIME, "mesh-extract", *options],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GENREID_RAY": nodes.address},
        stdout=subprocess.DEVNULL,
    )


def stop_workers(nodes: Nodes) -> list[int]:
    """What they are given now, they keep."""
    pids = nodes.worker_pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1.5)
    return pids
