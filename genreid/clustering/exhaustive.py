"""The candidates of every row among all rows, by torch: exact up to the rounding of the products.

On a CPU three ways lead there, and the cheapest is taken: products of rounded rows where the processor is
quick at them (`rounded`), bounds where they save work (`pruning`), the plain product. On a GPU, strips.

Shapes: N images, D embedding width, k neighbours, c candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from genreid.clustering import rounded
from genreid.clustering.blocks import BestOfRows, upper_blocks
from genreid.clustering.pruning import (
    MIN_ROWS,
    MIN_WIDTH,
    WORTH_IT,
    Heads,
    plan,
    search_by_heads,
    short_rows,
)
from genreid.clustering.rounded import Factors
from genreid.clustering.similarity import full_precision, pair_similarity, product_error, squared_distance
from genreid.errors import GenreidError

NUM_SPARE = 8
"""Candidates beyond k, so that rounding rarely leaves a row undecided."""

SPARE_AN_ERROR = 1500
"""Further ones for each unit of a product's error: 11 for rows in bfloat16, 16 in int8. About so many stand
that close to the last place, among rows of the benchmark's kind."""

NUM_LEAST = 12
"""Least similar images that are looked at for the farthest one."""

STRIP_ROWS = 1024
"""Rows of the similarity matrix that a GPU holds at a time."""

HEADS_SPARE = 1.5
"""Candidates of `search_heads` for each one of an exact search."""

MAX_PAIRS = 1 << 22
"""Similarities held at a time while undecided rows are searched again."""


@dataclass(frozen=True)
class Candidates:
    """What a search proposes: index (N, c), the least similar one last.

    No other image's similarity exceeds `floor` (N,).
    `error` bounds the difference between the search's similarities and the true ones.
    """

    index: np.ndarray
    floor: np.ndarray
    error: float
    farthest: np.ndarray | None


def search_torch(features: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
    """Blocks of the upper triangle of the similarity matrix; each serves its rows and its columns."""
    with full_precision(features.device):
        if features.device.type != "cpu":
            return _search_on_device(features, num_candidates, with_farthest)
        kind = rounded.quickest() if len(features) >= MIN_ROWS else torch.float32
        if kind == torch.float32 and not with_farthest:
            candidates = _search_by_heads(features, num_candidates)
            if candidates is not None:
                return candidates
        factors = rounded.round_rows(features, kind)
        num_candidates += int(SPARE_AN_ERROR * factors.error)
        return _search_blocks(features, factors, num_candidates, with_farthest)


def _search_blocks(
    features: torch.Tensor, factors: Factors, num_candidates: int, with_farthest: bool
) -> Candidates:
    num, rows, unit = len(features), factors.rows, factors.unit
    best = BestOfRows(num, min(num_candidates, num), rows.dtype, unit=unit)
    least = BestOfRows(num, min(NUM_LEAST, num) if with_farthest else 0, rows.dtype, smallest=True, unit=unit)
    for row, column, block in upper_blocks(rows):
        best.offer(block, row, column)
        if with_farthest:
            least.offer(block, row, column)
    farthest = _farthest(features, least, factors.error) if with_farthest else None
    return Candidates(best.index, best.limits, factors.error, farthest)


def search_heads(features: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
    """Approximate: all pairs of short rows (`pruning.short_rows`), whose candidates nothing certifies."""
    if with_farthest:
        raise GenreidError("neighbour search 'heads' does not know the farthest image: set `method` to torch")
    with full_precision(features.device):
        factors = rounded.round_rows(short_rows(features.cpu()), rounded.quickest())
        found = _search_blocks(features, factors, int(HEADS_SPARE * num_candidates), with_farthest=False)
    return replace(found, error=0.0, floor=np.full(len(features), -np.inf, np.float32))


def _farthest(features: torch.Tensor, least: BestOfRows, error: float) -> np.ndarray:
    """(N,) the largest squared distance of each row, from its few least similar ones."""
    num, width = least.index.shape
    rows = features.contiguous().numpy()
    left = np.repeat(np.arange(num, dtype=np.int32), width)
    lowest = pair_similarity(rows, left, least.index.reshape(-1)).reshape(num, width).min(1)
    if width < num:
        undecided = np.flatnonzero(lowest > least.limits - error)
        step = max(1, MAX_PAIRS // num)
        for start in range(0, len(undecided), step):
            own = undecided[start : start + step]
            with full_precision(features.device):
                lowest[own] = np.minimum(lowest[own], (features[own] @ features.T).amin(1).numpy())
    return squared_distance(lowest)


def _search_by_heads(features: torch.Tensor, num_candidates: int) -> Candidates | None:
    """The same by bounds, or None where that is no less work."""
    num, width = features.shape
    if num < max(MIN_ROWS, 2 * num_candidates) or width < MIN_WIDTH:
        return None
    features = features.contiguous()
    heads = Heads.of(features)
    k = num_candidates - NUM_SPARE
    chosen = plan(features, heads, k)
    if chosen.share > WORTH_IT:
        return None
    best = search_by_heads(features.numpy(), heads, chosen.level, k, num_candidates)
    # The bounds have decided: no other image belongs there.
    return Candidates(best.index, np.full(num, -np.inf, np.float32), product_error(width), None)


def _search_on_device(x: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
    """All columns of a strip of rows at a time, in the memory of a GPU."""
    best, index, lowest = [], [], []
    for start in range(0, len(x), STRIP_ROWS):
        strip = x[start : start + STRIP_ROWS] @ x.T
        top = strip.topk(num_candidates, dim=1)
        best.append(top.values[:, -1].cpu())
        index.append(top.indices.int().cpu())
        if with_farthest:
            lowest.append(strip.amin(1).cpu())
    return Candidates(
        torch.cat(index).numpy(),
        torch.cat(best).numpy(),
        product_error(x.shape[1]),
        squared_distance(torch.cat(lowest).numpy()) if with_farthest else None,
    )
