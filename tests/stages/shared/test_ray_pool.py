"""Ray workers that die, cannot begin, or are not there: what is lost is made again, or one line says it."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from genreid.body.body import load_body
from genreid.errors import GenreidError
from pipeline.errors import PipelineError
from stages.shared.options import Engine
from stages.shared.ray_workers import MOST_DEATHS, RayPool, ray_pool
from stages.shared.run import Options
from tests.stages import ray_work
from tests.stages.ray_nodes import Nodes, ray_nodes
from tests.stages.small_project import ROOT

pytestmark = pytest.mark.slow
FULL_DISK = {"automatic_object_spilling_enabled": False, "local_fs_capacity_threshold": 0.01}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Their disk counts as full, so that an object store cannot spill over into it."""
    with ray_nodes(2, _system_config=FULL_DISK) as nodes:
        yield nodes


@pytest.fixture(autouse=True)
def _there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "nodes" in request.fixturenames:
        monkeypatch.setenv("GENREID_RAY", request.getfixturevalue("nodes").address)


def pool(
    *arguments: Any, workers: int = 0, sees: list[Path] | None = None, start: Any = ray_work.start
) -> AbstractContextManager[RayPool]:
    options = Options(on=Engine.ray, workers=workers)
    run: Any = SimpleNamespace(options=options, device=torch.device("cpu"), console=Console(stderr=True))
    return ray_pool(run, start, arguments, sees or [])


def in_one_line(match: str, kind: type[Exception] = PipelineError) -> Any:
    """It is raised, and its message has one line."""
    return pytest.raises(kind, match=rf"\A[^\n]*{match}[^\n]*\Z")


def test_each_worker_begins_once_and_all_of_them_work(nodes: Nodes, tmp_path: Path) -> None:
    with pool() as workers, ThreadPoolExecutor(workers.num_calls) as threads:
        assert workers.num_calls == 4
        for one in [threads.submit(workers.call, ray_work.meet, tmp_path, 2) for _ in range(2)]:
            one.result()
        told = [one.result() for one in [threads.submit(workers.call, ray_work.told) for _ in range(200)]]
        pids = nodes.worker_pids()
        with pytest.raises(KeyError, match="a fault of the program") as error:
            workers.call(ray_work.fault)
        assert "in fault" in error.value.__notes__[0]
    assert {int(path.name) for path in tmp_path.iterdir()} == set(pids) and len(pids) == 2
    assert {starts for _, starts in told} == {1} and {pid for pid, _ in told} <= set(pids)
    assert nodes.worker_pids() == []


def test_a_worker_that_dies_costs_its_call_again(
    nodes: Nodes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pool() as workers:
        before = nodes.worker_pids()
        assert workers.call(ray_work.die_once, tmp_path / "mark") > 0
        assert "a Ray worker is gone, killed or with its node" in capfd.readouterr().err
        with in_one_line(f"{MOST_DEATHS} Ray workers in a row were killed at the same images"):
            workers.call(ray_work.die)
        assert workers.call(ray_work.told)[1] == 1  # of one that began in the place of a dead one
        assert not set(before) & set(nodes.worker_pids())


def test_what_a_worker_cannot_begin_with(nodes: Nodes, tmp_path: Path) -> None:
    node = rf"node {socket.gethostname()} \([\d.]+\): "
    with pool("refuse") as workers, in_one_line(f"{node}no such model", GenreidError):
        workers.call(ray_work.told)
    with pool(sees=[tmp_path, tmp_path / "nosuch"]) as workers, in_one_line(f"{node}.*nosuch is not there"):
        workers.call(ray_work.told)
    with pool("die") as workers, in_one_line(f"{MOST_DEATHS} Ray workers in a row were killed as they began"):
        workers.call(ray_work.told)


def test_a_file_that_a_node_does_not_see(nodes: Nodes, tmp_path: Path) -> None:
    with pool(workers=1) as workers, pytest.raises(FileNotFoundError) as error:
        workers.call(ray_work.read, tmp_path / "nosuch")
    assert f"{tmp_path / 'nosuch'} on node {socket.gethostname()} (" in str(error.value.filename)


def test_a_full_object_store(nodes: Nodes) -> None:
    with in_one_line("the object store of a Ray node.* full.*what is finished is kept"), pool(bytes(10**9)):
        pass
    with pool(workers=1) as workers, in_one_line("the object store of a Ray node.* full"):
        workers.call(ray_work.large, 10**9)


def test_a_node_of_another_genreid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node's own copy of the code has one number changed."""
    for package in ("genreid", "pipeline", "stages"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    errors = tmp_path / "genreid" / "errors.py"
    errors.write_text(f"{errors.read_text()}\nOTHER = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # Ray lets workers import from here too
    monkeypatch.setattr(sys, "argv", ["/nowhere/genreid"])
    with ray_nodes(1) as nodes:
        monkeypatch.setenv("GENREID_RAY", nodes.address)
        with (
            pool(start=load_body) as workers,
            in_one_line(r"another genreid than where.*\(genreid\.errors differs\)"),
        ):
            workers.call(ray_work.told)


def test_no_ray_and_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GENREID_RAY", f"127.0.0.1:{free.getsockname()[1]}")
        with in_one_line("no Ray cluster answers at 127.*begin one by `ray start --head`"), pool():
            pass
    monkeypatch.setenv("GENREID_RAY", "ray://head:10001")
    with in_one_line("GENREID_RAY: 'ray://head:10001': write auto or HOST:PORT"), pool():
        pass
    monkeypatch.delenv("GENREID_RAY")
    services = "ray._private.services"  # which would find the clusters of other tests
    monkeypatch.setattr(f"{services}.find_gcs_addresses", cache(set))
    monkeypatch.setattr(f"{services}.find_bootstrap_address", lambda _: None)
    with in_one_line("no Ray cluster was found from this machine: begin one"), pool():
        pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with in_one_line(r'Ray is not installed: pip install "genreid\[ray\]"'), pool():
        pass
