"""What neighbours and the Jaccard graph by workers cost: multiply-adds, bytes and seconds, from a few rates.

For a piece of R of N rows of D numbers, k1 columns, c candidates a row:

    multiply-adds    R·(N − R/2)·D        pairs within the piece once, all others twice in all
    looked at        R·N products, of which 1.9·R·c enter the lists of rows that begin with a limit
    sampled          16·N / c rows, that give the limits, and R products with each
    again            R·N products in float32 times the share of rows that int8 leaves undecided
    bytes read       rows 4·N·D four times; lists of neighbours, sets and sparse rows of all pieces once
    memory           the piece's rows, the same rounded, and the lists; a block of rows, one of products in
                     int8, and one of those in float32 that the undecided take

The graph's steps have two rates: the seconds a row of the piece, and a row of all that passes by it. Rates
are those of work that does not fit into a processor's caches, as a piece does not.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clustering import SETTINGS
from benchmarks.inputs import people
from genreid.clustering.blocks import BestOfRows, all_blocks
from genreid.clustering.candidates import MAX_PAIRS
from genreid.clustering.dithered import dithered_rows, unit_and_error, usual_step
from genreid.clustering.first_limits import EXPECTED, RANK, num_sampled
from genreid.clustering.int8_search import num_kept
from genreid.clustering.jaccard import half_columns
from genreid.clustering.neighbours import NUM_SPARE, candidates_in_order
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import by_workers
from genreid.clustering.sharded.shelf import BLOCK_NUMBERS, Shelf
from genreid.clustering.similarity import pair_similarity

PASSES = 4
"""Times that all rows pass by a piece: candidates are proposed, then looked at, the undecided are searched
again, and similarities that the neighbour table lacks are worked out."""

UNDECIDED = 0.03
"""Share of the rows whose last neighbours seven bits leave open: 0.029 of 50,000 and 0.024 of 200,000 rows of
the benchmark's kind, 256 wide (`GROWS_FROM` of genreid/clustering/int8_search)."""

_SOME, _ROWS, _MANY = 512, 16384, 200_000
_STEPS = ("find_reciprocal", "find_weights", "average_weights", "find_pairs")
_GRAPH, _GRAPH_PIECES = 50_000, 24


@dataclass(frozen=True)
class Rates:
    """Of one core: seconds of a multiply-add, of a product that is looked at, of one that enters a list, of
    rounding a number, of a candidate's true similarity and its place, of a multiply-add in float32, and of a
    row in the graph's steps, one of its own and one that passes by; and how many entries a row of v and one
    of V have.
    """

    multiply_add: float
    look: float
    enter: float
    round: float
    candidate: float
    float_multiply_add: float
    graph_row: float
    passing_row: float
    entries: float
    mean_entries: float

    def __str__(self) -> str:
        return (
            f"{1e-9 / self.multiply_add:.0f} G multiply-adds a second; {1e9 * self.look:.3f} ns a product "
            f"looked at, {1e9 * self.enter:.0f} ns one that enters a list; {1e9 * self.round:.2f} ns a "
            f"number rounded; {1e9 * self.candidate:.0f} ns a candidate; "
            f"{1e-9 / self.float_multiply_add:.0f} G multiply-adds in float32; "
            f"{1e6 * self.graph_row:.0f} µs a row of the graph and {1e6 * self.passing_row:.1f} µs one that "
            f"passes by, of {self.entries:.0f} and {self.mean_entries:.0f} entries"
        )


@dataclass(frozen=True)
class Cost:
    """Of one piece: multiply-adds, GB read, GB of memory, seconds of one core."""

    multiply_adds: float
    read_gb: float
    memory_gb: float
    seconds: float


def measured_rates(width: int) -> Rates:
    """On one thread, by CPU time, the least of two: others on the machine disturb it. About two minutes."""
    rows = people(_MANY, width).features.numpy()
    dithered_rows(rows[:_SOME])  # the first time compiles
    rounding = _seconds(lambda: dithered_rows(rows[:_ROWS])) / (_ROWS * width)
    all_rounded = dithered_rows(rows)[0]
    left, kept = all_rounded[:_ROWS], _num_kept(width, _MANY)

    def multiply() -> None:
        for _ in all_blocks(left, all_rounded):
            pass

    def search(best: BestOfRows) -> BestOfRows:
        for row, column, block in all_blocks(left, all_rounded):
            best.offer_rows(block, row, column)
        return best

    product = _seconds(multiply) / (_ROWS * _MANY)
    nearest = search(BestOfRows(_ROWS, 1))  # of all rows that are offered again hardly any enters
    look = _seconds(lambda: search(nearest)) / (_ROWS * _MANY) - product
    filled = _seconds(lambda: search(BestOfRows(_ROWS, kept))) / _ROWS
    enter = (filled - _MANY * (product + look)) / (kept * (1 + np.log(_MANY / kept)))
    one, entries, mean_entries = _graph(rows[:_GRAPH], 1)
    many, _, _ = _graph(rows[:_GRAPH], _GRAPH_PIECES)
    passing_row = max(0.0, many - one) / (_GRAPH_PIECES - 1)
    return Rates(
        product / width,
        look,
        enter,
        rounding,
        _candidate(rows, kept),
        _float_multiply_add(rows),
        one - passing_row,
        passing_row,
        entries,
        mean_entries,
    )


def cost(rates: Rates, num: int, width: int, rows: int, readings: int = 1) -> Cost:
    """Of a piece of so many rows of N. readings: pieces that a core takes one after the other."""
    kept, k1 = _num_kept(width, num), SETTINGS["k1"]
    sampled = num_sampled(num, width, kept)
    multiply_adds = rows * (num - rows / 2 + sampled) * width
    seconds = (
        multiply_adds * rates.multiply_add
        + rows * (num + sampled) * rates.look
        + rows * _num_entered(num, kept, sampled) * rates.enter
        + (num + 2 * rows) * width * rates.round
        + rows * kept * rates.candidate
        + UNDECIDED * rows * num * width * rates.float_multiply_add
        + rows * rates.graph_row
        + num * rates.passing_row
    )
    half = half_columns(k1)
    # lists and sets of all; of sparse rows those of v, and of V those from the piece on: half, in the mean
    sparse = 4 * (k1 + half + 1) + 8 * (rates.entries + rates.mean_entries * (1 + rows / num) / 2)
    own = 3 * 4 * width + 20 * k1 + 8 * rates.mean_entries
    read = num * (PASSES * 4 * width + sparse) + rows * own
    proposing = 5 * width + 14 * kept
    refining = 4 * width + 8 * kept + 28 * kept * min(1, BLOCK_NUMBERS / width / num)
    memory = rows * max(proposing, refining) + 5 * BLOCK_NUMBERS + 4 * 2048**2 + 12 * MAX_PAIRS
    return Cost(readings * multiply_adds, readings * read / 1e9, memory / 1e9, readings * seconds)


def forecast(rates: Rates, cores: int = 64, width: int = 256) -> str:
    """10 and 100 million images on 1, 10 and 100 nodes."""
    lines = [
        f"| images | nodes of {cores} cores | pieces | rows a piece | multiply-adds | hours | "
        "GB a core | TB read by all | GB/s a node | files opened |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for num in (1_000_000, 10_000_000, 100_000_000):
        for nodes in (1, 10, 100):
            workers = nodes * cores
            pieces = len(by_workers.even_bounds(num, workers)) - 1
            one = cost(rates, num, width, num // pieces, pieces // workers)
            lines.append(
                f"| {num:,} | {nodes} | {pieces:,} | {num // pieces:,} | {workers * one.multiply_adds:.1e} | "
                f"{one.seconds / 3600:.2g} | {one.memory_gb:.2f} | {workers * one.read_gb / 1e3:,.1f} | "
                f"{cores * one.read_gb / one.seconds:.2g} | {3.5 * pieces**2:.1e} |"
            )
    return "\n".join(lines)


def _candidate(rows: np.ndarray, num_candidates: int) -> float:
    """Seconds of one of so many candidates a row, from anywhere among the rows (N, D)."""
    anywhere = np.random.default_rng(0).integers(len(rows), size=(_ROWS, num_candidates), dtype=np.int32)
    own = np.arange(_ROWS, dtype=np.int32)

    def work() -> None:
        for start in range(0, _ROWS, _SOME):
            part = slice(start, start + _SOME)
            chosen = np.sort(anywhere[part], axis=1)
            left = np.repeat(own[part], num_candidates)
            similarity = pair_similarity(rows, left, chosen.reshape(-1)).reshape(chosen.shape)
            candidates_in_order(chosen, similarity, own[part], SETTINGS["k1"])

    return _seconds(work) / anywhere.size


def _float_multiply_add(rows: np.ndarray) -> float:
    """Seconds of one, with the comparison of what comes of it: of the undecided rows."""
    some, everyone = torch.from_numpy(rows[:_SOME]), torch.from_numpy(rows)

    def work() -> None:
        np.nonzero((some @ everyone.T).numpy() >= 0.99)

    return _seconds(work) / (_SOME * rows.size)


def _graph(rows: np.ndarray, num_pieces: int) -> tuple[float, float, float]:
    """Seconds a row of the graph's steps, of all pieces; and the entries of a row of v and of V."""
    settings = PseudoLabelSettings(method="exact", **SETTINGS)
    for num in (_SOME, len(rows)):  # the first time compiles
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            shelf = Shelf.filled(Path(folder), rows[:num], by_workers.even_bounds(num, num_pieces))
            by_workers.cluster_by_workers(clock, shelf, settings)
            counts = [shelf.get(name, 0, "counts")[0].mean() for name in ("expanded", "mean")]
    taken = sum(clock.seconds[step] for step in _STEPS)
    return taken / len(rows), float(counts[0]), float(counts[1])


class _Clock:
    """A worker, here, that keeps how long each function took."""

    num_calls = 1

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        started = time.process_time()
        result = function(*arguments)
        taken = time.process_time() - started
        self.seconds[function.__name__] = self.seconds.get(function.__name__, 0.0) + taken
        return result


def _num_kept(width: int, num: int) -> int:
    """Candidates that are kept of a row, for rows of length 1 whose numbers are rounded as usual."""
    step = usual_step(width)
    error = unit_and_error(step, np.array([0, 1 / step**2, width / 6]), num, width)[1]
    return num_kept(SETTINGS["k1"] + NUM_SPARE, error, num)


def _num_entered(num: int, kept: int, sampled: int) -> float:
    """Products of a row that enter its list: a limit is what so many of all rows exceed, and it rises."""
    begin = kept * RANK / EXPECTED if sampled else num
    return float(kept * (1 + np.log(begin / kept)))


def _seconds(work: Callable[[], Any]) -> float:
    taken = []
    for _ in range(2):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)
