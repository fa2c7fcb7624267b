"""Rows shared out among threads: the one way in which this room uses more than one core.

The kernels release the interpreter lock, so plain threads are enough. No OpenMP layer of numba is
started: it does not survive the fork of data-loading workers.

Within such a thread torch computes alone. Its own threads, after a product that they have shared, spin for
a while in wait of the next one, and take the cores from whoever works then: two cores lost a quarter of the
time of the whole neighbour search to that. So products that kernels come between are shared out here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")

MAX_CHUNK_ROWS = 2048
"""Small enough that a chunk's scratch arrays stay small whatever the number of images."""

MIN_CHUNK_ROWS = 64
"""Large enough that handing out a chunk costs nothing beside its work."""

CHUNKS_PER_THREAD = 4
"""More chunks than threads, since rows differ in work."""

_pools: dict[int, ThreadPoolExecutor] = {}


def map_row_chunks(
    work: Callable[[int, int], T], num_rows: int, *, chunks_per_thread: int = CHUNKS_PER_THREAD
) -> list[T]:
    """The results of `work(start, stop)` over consecutive chunks of rows, in row order.

    Runs in as many threads as torch is set to. `work` must treat its rows one by one: neither the
    chunks nor the number of threads may show in what it returns.
    """
    num_threads = torch.get_num_threads()
    chunk = -(-num_rows // (num_threads * chunks_per_thread))
    chunk = min(max(chunk, MIN_CHUNK_ROWS), MAX_CHUNK_ROWS)
    starts = range(0, num_rows, chunk)
    stops = [min(start + chunk, num_rows) for start in starts]
    if num_threads == 1 or len(stops) == 1:
        return [work(start, stop) for start, stop in zip(starts, stops, strict=True)]
    return list(_pool(num_threads).map(work, starts, stops))


def _pool(num_threads: int) -> ThreadPoolExecutor:
    """So many threads in each of which torch is set to one thread; they are kept."""
    if num_threads not in _pools:
        pool = ThreadPoolExecutor(num_threads, initializer=_compute_alone)
        # All of them start now: the last setting is that of every thread that is made from then on.
        started = Barrier(num_threads + 1)
        for _ in range(num_threads):
            pool.submit(started.wait)
        started.wait()
        torch.set_num_threads(num_threads)
        _pools[num_threads] = pool
    return _pools[num_threads]


def _compute_alone() -> None:
    torch.set_num_threads(1)
    # Asked for the first time in a thread, torch takes over what was set last in any: let that be this.
    torch.get_num_threads()


# Threads do not survive a fork: a child makes its own.
os.register_at_fork(after_in_child=_pools.clear)
