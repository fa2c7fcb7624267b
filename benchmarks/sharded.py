"""Neighbours and the Jaccard graph by workers, beside one machine: `python -m benchmarks.sharded`.

    python -m benchmarks.sharded [--num-images 200000] [--width 256] [--workers 1 2 4] [--on ray] [--forecast]
    python -m benchmarks.sharded --num-images 1000000 --workers 1 --alone

Each worker has one piece of N / workers rows. The table says what the worker that took most took, above what
it held before it began: memory, CPU time and bytes read; and all of it again as the model of cost
(`benchmarks.sharded_model`) has it, from rates that are measured here with much smaller work. The search of
one machine, by one thread of a process of its own, comes first: labels have to be the same, and ratios are
to its CPU time. `--alone` leaves it out, for more images than one machine should search, and gives pieces of
the size that `genreid group` gives. The neighbours of some rows are held against plain products in either
case. `--forecast` prints the model alone, for 10 and 100 million images.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import torch
from rich.console import Console

from benchmarks import sharded_model
from benchmarks.clustering import SETTINGS, clusters
from benchmarks.inputs import people
from benchmarks.measure import finish_side, machine, measured, side, side_arguments, versions
from genreid.clustering.pseudo_labels import cluster
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import by_workers
from genreid.clustering.sharded.by_workers import MOST_ROWS, Workers, cluster_by_workers, even_bounds
from genreid.clustering.sharded.search import NEIGHBOURS
from genreid.clustering.sharded.shelf import Shelf
from genreid.progress import Silent
from stages.shared.options import Engine
from stages.shared.run import Options
from stages.shared.workers import process_pool

CHOSEN = PseudoLabelSettings(method="exact", **SETTINGS)
_WARM = 1024
"""Images a worker that are clustered first, which compiles and loads."""
_HELD = 100
"""Rows whose neighbours are held against plain products."""


@dataclass(frozen=True)
class Taken:
    """By one worker at most: memory and bytes read in GB, CPU seconds; by all: CPU and wall seconds."""

    memory_gb: float
    read_gb: float
    cpu_s: float
    all_cpu_s: float
    wall_s: float


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("--num-images", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--on", choices=("processes", "ray"), default="ray")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--forecast", action="store_true")
    arguments = parser.parse_args()
    if arguments.side:
        _run_side(arguments)
        return
    torch.set_num_threads(1)
    rates = sharded_model.measured_rates(arguments.width)
    print(f"{machine()}; {versions()}\n{rates}", flush=True)
    if arguments.forecast:
        print(sharded_model.forecast(rates))
    else:
        _compare(arguments, rates)


def _compare(arguments: argparse.Namespace, rates: sharded_model.Rates) -> None:
    num, width, alone = arguments.num_images, arguments.width, arguments.alone
    one_cpu_s, labels = (float("nan"), None) if alone else _one_machine(num, width)
    print(
        "| workers | pieces | memory, GB | model | read, GB | model | CPU a worker, s | model "
        "| CPU of all, s | ratio | wall, s |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    rows = people(num, width).features.numpy()
    with _pools(arguments.on, max(arguments.workers)) as pool:
        for workers in arguments.workers:
            bounds = even_bounds(num, workers, MOST_ROWS if alone else num)
            taken, ours = _by(pool, workers, rows, bounds)
            assert labels is None or np.array_equal(ours, labels), "the labels are others"
            pieces = len(bounds) - 1
            told = sharded_model.cost(rates, num, width, num // pieces, pieces // workers)
            ratio = "" if alone else f"{taken.all_cpu_s / one_cpu_s:.2f}"
            print(
                f"| {workers} | {pieces} | {taken.memory_gb:.2f} | {told.memory_gb:.2f} | "
                f"{taken.read_gb:.2f} | {told.read_gb:.2f} | {taken.cpu_s:.0f} | {told.seconds:.0f} | "
                f"{taken.all_cpu_s:.0f} | {ratio} | {taken.wall_s:.0f} |",
                flush=True,
            )
    if alone:
        print(clusters(ours))


def _one_machine(num: int, width: int) -> tuple[float, np.ndarray]:
    """CPU seconds, and the labels."""
    one, _, found = side("sharded", "one", num_images=num, width=width)
    print(
        f"one machine: {one.cpu_s:.0f} s of CPU, {one.wall_s:.0f} s, "
        f"{one.memory_mb / 1e3:.2f} GB above its rows\n{clusters(found['labels'])}\n"
    )
    return one.cpu_s, found["labels"]


def _run_side(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    cluster(people(5000, arguments.width).features, CHOSEN)  # compiles, and loads what is compiled
    features = people(arguments.num_images, arguments.width).features
    labels, cost = measured(lambda: cluster(features, CHOSEN).labels)
    finish_side(arguments, cost, {}, labels=labels)


Pool = Callable[[int], Any]
"""So many workers, as a context."""


@contextmanager
def _pools(on: str, most: int) -> Iterator[Pool]:
    if on == "processes":
        yield lambda num: process_pool(num, abs, 0)
        return
    from stages.shared.ray_workers import ray_pool
    from tests.stages.ray_nodes import ray_nodes

    def pool(num: int) -> Any:
        options = Options(on=Engine.ray, workers=num)
        run: Any = SimpleNamespace(options=options, device=torch.device("cpu"), console=Console())
        return ray_pool(run, by_workers.even_bounds, (num, num))

    with ray_nodes(0, num_cpus=most) as nodes:
        os.environ["GENREID_RAY"] = nodes.address
        yield pool


def _by(pool: Pool, num_workers: int, rows: np.ndarray, bounds: Sequence[int]) -> tuple[Taken, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder, pool(num_workers) as workers:
        warm = people(_WARM * num_workers, rows.shape[1]).features.numpy()
        warm_bounds = even_bounds(len(warm), num_workers, len(warm))
        _cluster(workers, Shelf.filled(Path(folder) / "warm", warm, warm_bounds))
        begun = [_Counters.of(process) for process in _working()]
        assert len(begun) == num_workers, f"{len(begun)} workers of {num_workers} have begun"
        started = time.monotonic()
        shelf = Shelf.filled(Path(folder) / "all", rows, bounds)
        labels = _cluster(workers, shelf)
        wall = time.monotonic() - started
        taken = [one.since() for one in begun]
        _hold(shelf, rows)
    memory, read, cpu = (np.array(part) for part in zip(*taken, strict=True))
    return Taken(memory.max(), read.max(), cpu.max(), cpu.sum(), wall), labels


def _cluster(workers: Workers, shelf: Shelf) -> np.ndarray:
    return cluster_by_workers(workers, shelf, CHOSEN, progress=Silent()).labels


def _hold(shelf: Shelf, rows: np.ndarray) -> None:
    """Raise AssertionError where the neighbours of some rows are not the k with the largest products."""
    chosen = np.random.default_rng(0).choice(len(rows), min(_HELD, len(rows)), replace=False)
    for piece in range(shelf.num_pieces):
        own = shelf.piece(piece)
        here = chosen[(chosen >= own.start) & (chosen < own.stop)]
        found = shelf.get(NEIGHBOURS, piece, "similarity")[0][here - own.start]
        products = rows[here] @ rows.T
        np.put_along_axis(products, here[:, None], np.inf, axis=1)  # an image comes first of its neighbours
        largest = -np.sort(-products, axis=1)[:, 1 : found.shape[1]]
        np.testing.assert_allclose(found[:, 1:], largest, atol=1e-5, err_msg="neighbours are not the nearest")


def _working() -> list[psutil.Process]:
    """The processes of workers, on this machine."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if "RayWorker" in words or ("spawn_main" in words and process.ppid() == os.getpid()):
            found.append(process)
    return found


@dataclass(frozen=True)
class _Counters:
    """What a process has taken, before work that is to be measured."""

    process: psutil.Process
    held_kb: int
    read: int
    cpu_s: float

    @classmethod
    def of(cls, process: psutil.Process) -> _Counters:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # forgets the highest memory so far
        times = process.cpu_times()
        return cls(
            process, _kb(process, "VmRSS"), process.io_counters().read_chars, times.user + times.system
        )

    def since(self) -> tuple[float, float, float]:
        """Memory in GB, bytes read in GB, CPU seconds."""
        times = self.process.cpu_times()
        memory = (_kb(self.process, "VmHWM") - self.held_kb) * 1024 / 1e9
        read = (self.process.io_counters().read_chars - self.read) / 1e9
        return memory, read, times.user + times.system - self.cpu_s


def _kb(process: psutil.Process, name: str) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


if __name__ == "__main__":
    main()
