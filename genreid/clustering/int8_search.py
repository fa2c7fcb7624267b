"""The candidates of every row among all rows, by products of rows rounded to int8.

They come several times faster than float32 ones, and each pair is multiplied once. The answer is exact all
the same: how far a product may be off is known (`dithered`), some more candidates than an exact product needs
are kept, and rows whose last place the rounding leaves open are searched again (`neighbours`).

Shapes: N images, D embedding width, c candidates.
"""

from __future__ import annotations

import numpy as np
import torch

from genreid.clustering.blocks import BestOfRows, all_blocks, upper_blocks
from genreid.clustering.candidates import MAX_PAIRS, Candidates
from genreid.clustering.dithered import dithered_rows
from genreid.clustering.first_limits import first_limits, sample_rows
from genreid.clustering.similarity import full_precision, pair_similarity, squared_distance

SPARE_AN_ERROR = 2500
"""Further candidates for each unit of a product's error: at least so many stand that close to the last place
among a hundred thousand rows of the benchmark's kind; 52 at 2048 numbers a row."""

GROWS_FROM = 300
"""Times error^(−1.5): the images from which on more of them stand that close, as the root of their number.

Of rows of the benchmark's kind, 256 wide, 95 % need no more than 176 candidates among 20,000, 489 among
200,000 and 1,023 among a million. Of a row with too few all products are made again, in float32."""

NUM_LEAST = 12
"""Least similar images that are looked at for the farthest one."""


def search_int8(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
    """Blocks of the upper triangle of the similarity matrix; each serves its rows and its columns."""
    num = len(rows)
    rounded, unit, error = dithered_rows(rows)
    kept = num_kept(num_candidates, error, num)
    best = BestOfRows(num, kept, limits=_first_limits(rounded, kept))
    least = BestOfRows(num, min(NUM_LEAST, num) if with_farthest else 0, smallest=True)
    for row, column, block in upper_blocks(rounded):
        best.offer(block, row, column)
        if with_farthest:
            least.offer(block, row, column)
    _look_again(best, kept, rounded)
    farthest = _farthest(rows, least, unit, error) if with_farthest else None
    return Candidates(best.index, best.limits * np.float32(unit), error, farthest)


def num_kept(num_candidates: int, error: float, num: int) -> int:
    """Candidates that are kept of each of N rows, where products are off by `error` at most."""
    grown = max(1.0, np.sqrt(num * error**1.5 / GROWS_FROM))
    return min(num_candidates + int(SPARE_AN_ERROR * error * grown), num)


def propose_int8(rows: np.ndarray, num_candidates: int) -> np.ndarray:
    """(N, c) as many candidates as are asked for, which nothing certifies."""
    rounded, _, _ = dithered_rows(rows)
    best = BestOfRows(len(rows), num_candidates, limits=_first_limits(rounded, num_candidates))
    for row, column, block in upper_blocks(rounded):
        best.offer(block, row, column)
    _look_again(best, num_candidates, rounded)
    return best.index


def _first_limits(rounded: torch.Tensor, num_candidates: int) -> np.ndarray | None:
    num, width = rounded.shape
    sampled = sample_rows(num, width, num_candidates)
    return None if sampled is None else first_limits(rounded, rounded[sampled])


def _look_again(best: BestOfRows, num_candidates: int, rounded: torch.Tensor) -> None:
    """Complete the rows whose first limit was too high."""
    if len(short := best.short):
        found = BestOfRows(len(short), num_candidates)
        for row, column, block in all_blocks(rounded[short], rounded):
            found.offer_rows(block, row, column)
        best.replace(short, found)


def _farthest(rows: np.ndarray, least: BestOfRows, unit: float, error: float) -> np.ndarray:
    """(N,) the largest squared distance of each row, from its few least similar ones."""
    num, width = least.index.shape
    left = np.repeat(np.arange(num, dtype=np.int32), width)
    lowest = pair_similarity(rows, left, least.index.reshape(-1)).reshape(num, width).min(1)
    if width < num:
        features = torch.from_numpy(rows)
        undecided = np.flatnonzero(lowest > least.limits * np.float32(unit) - error)
        step = max(1, MAX_PAIRS // num)
        for start in range(0, len(undecided), step):
            own = undecided[start : start + step]
            with full_precision():
                lowest[own] = np.minimum(lowest[own], (features[own] @ features.T).amin(1).numpy())
    return squared_distance(lowest)
