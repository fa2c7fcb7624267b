"""Rows shared out among threads: the one way in which this room uses more than one core.

The kernels release the interpreter lock, so plain threads are enough. No OpenMP layer of numba is
started: it does not survive the fork of data-loading workers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")

MAX_CHUNK_ROWS = 2048
"""Small enough that a chunk's scratch arrays stay small whatever the number of images."""

MIN_CHUNK_ROWS = 64
"""Large enough that handing out a chunk costs nothing beside its work."""

CHUNKS_PER_THREAD = 4
"""More chunks than threads, since rows differ in work."""


def map_row_chunks(work: Callable[[int, int], T], num_rows: int) -> list[T]:
    """The results of `work(start, stop)` over consecutive chunks of rows, in row order.

    Runs in as many threads as torch is set to. `work` must treat its rows one by one: neither the
    chunks nor the number of threads may show in what it returns.
    """
    num_threads = torch.get_num_threads()
    chunk = -(-num_rows // (num_threads * CHUNKS_PER_THREAD))
    chunk = min(max(chunk, MIN_CHUNK_ROWS), MAX_CHUNK_ROWS)
    starts = range(0, num_rows, chunk)
    stops = [min(start + chunk, num_rows) for start in starts]
    if num_threads == 1 or len(stops) == 1:
        return [work(start, stop) for start, stop in zip(starts, stops, strict=True)]
    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(work, starts, stops))
