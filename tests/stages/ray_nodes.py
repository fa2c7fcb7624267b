"""A real Ray cluster on this machine: a head without cores, and nodes of one core, each with a raylet."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

STORE_BYTES = 80_000_000
"""Of the object store of a node."""


class Nodes:
    """The cluster; `address` is HOST:PORT."""

    def __init__(self, num_nodes: int, **head: Any) -> None:
        from ray._private.utils import get_ray_address_file

        # Ray writes the head's address there, and does not make the folder.
        Path(get_ray_address_file(None)).parent.mkdir(exist_ok=True)
        # Ray lets its workers give way to all others, which on busy cores is for ever.
        os.environ.update(RAY_worker_niceness="0")
        self._folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # a socket's path has to be short
        self._cluster = _empty_cluster()
        own = {"num_cpus": 0, "temp_dir": self._folder, "include_dashboard": False}
        own |= {"include_log_monitor": False, "no_monitor": True}
        self.add(**own | head)
        self.nodes = [self.add() for _ in range(num_nodes)]

    @property
    def address(self) -> str:
        return self._cluster.address

    def add(self, **settings: Any) -> Any:
        """Begin one more node; the first is the head."""
        wanted = {"num_cpus": 1, "object_store_memory": STORE_BYTES} | settings
        for tries_left in (2, 1, 0):
            try:
                return self._cluster.add_node(**wanted)
            except Exception:  # Ray waits for a node for 30 s, which a busy machine may take
                if not tries_left:
                    self.end()
                    raise
                if "temp_dir" in settings:  # half a head is none
                    self._kill_all()
                    self._cluster = _empty_cluster()

    def worker_pids(self) -> list[int]:
        """The processes of our workers, on all nodes."""
        return sorted(process.pid for process in self._processes() if "RayWorker" in _name(process))

    def kill(self, node: Any) -> None:
        """Kill -9 the raylet of a node, as a machine that is gone."""
        self.nodes.remove(node)
        (raylet,) = node.all_processes["raylet"]
        os.kill(raylet.process.pid, signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)

    def end(self) -> None:
        """Leave no process and no file of it."""
        self._kill_all()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill_all(self) -> None:
        for process in {found.pid: found for found in self._processes()}.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _processes(self) -> Iterator[psutil.Process]:
        """What the cluster has begun: what has its folder in its command line, and children."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(self._folder in part for part in process.cmdline()):
                    yield process
                    yield from process.children(recursive=True)


def _empty_cluster() -> Any:
    from ray.cluster_utils import Cluster

    return Cluster(shutdown_at_exit=False)


@contextmanager
def ray_nodes(num_nodes: int, **head: Any) -> Iterator[Nodes]:
    """A cluster that is gone afterwards."""
    nodes = Nodes(num_nodes, **head)
    try:
        yield nodes
    finally:
        nodes.end()


def wait_until(there: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def shard_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*.parquet"))}
