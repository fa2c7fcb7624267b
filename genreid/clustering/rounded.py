"""Products of rounded rows, where a processor multiplies those several times faster than float32.

Whoever knows a bound of their error, takes some more candidates than asked for, and looks at the few rows
again that the bound leaves undecided, has the exact answer (`neighbours`).

bfloat16: a row is x = b + e, b being x rounded. By the inequality of Cauchy and Schwarz
    |xᵢ·xⱼ − bᵢ·bⱼ| = |eᵢ·xⱼ + bᵢ·eⱼ| ≤ |eᵢ||xⱼ| + |bᵢ||eⱼ|,
and the product is rounded once more when it is written down. The lengths |e| are measured: in all at most
0.010 for unit rows, and about 0.005 for embeddings. int8: `dithered`.

Shapes: N rows x of D numbers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from genreid.clustering.blocks import product_of
from genreid.clustering.dithered import dithered_rows
from genreid.clustering.similarity import product_error

WORTH_IT = 2.0
"""Speed of a rounded product, in float32 ones, from which on it is used: its candidates cost more."""

INT8_WORTH_IT = 1.2
"""The same for int8, in products of bfloat16: its rows cost more to make."""

_HALF_STEP = 2.0**-9
"""How far a number below 1 is from the nearest one that bfloat16 has; twice as far, at most, below 2."""

_CHUNK_ROWS = 256
"""Rows whose errors are measured at a time: they stay in the cache."""

_PROBE_ROWS, _PROBE_WIDTH, _PROBES = 1024, 2048, 2


@dataclass(frozen=True)
class Factors:
    """What is multiplied in the place of rows: rows (N, D') of any dtype that `upper_blocks` takes.

    A product of two, times `unit`, is that of the rows but for `error`.
    """

    rows: torch.Tensor
    unit: float
    error: float


def quickest() -> torch.dtype:
    """What rows are best rounded to on this processor: int8, bfloat16, or float32, which is not at all."""
    quick = speeds()
    if quick[torch.int8] >= max(WORTH_IT, INT8_WORTH_IT * quick[torch.bfloat16]):
        return torch.int8
    return torch.bfloat16 if quick[torch.bfloat16] >= WORTH_IT else torch.float32


@lru_cache(maxsize=1)
def speeds() -> dict[torch.dtype, float]:
    """How many times faster than float32 this processor multiplies bfloat16 and int8; below 1 where it has no
    such unit, 0 where the product would not be right.

    Measured once, in a tenth of a second. Whatever it says, the answers are the same.
    """
    rows = torch.ones(_PROBE_ROWS, _PROBE_WIDTH)
    largest = torch.full(rows.shape, 127, dtype=torch.int8)
    plain = _seconds(rows)
    # Without a unit for int8, one may be taken that adds in 16 bits and cuts off sums that are too large.
    right = bool((product_of(largest, largest) == 127**2 * _PROBE_WIDTH).all())
    return {
        torch.bfloat16: plain / _seconds(rows.bfloat16()),
        torch.int8: plain / _seconds(largest) if right else 0.0,
    }


def _seconds(factor: torch.Tensor) -> float:
    def once() -> float:
        begin = time.perf_counter()
        product_of(factor, factor)
        return time.perf_counter() - begin

    # The first prepares the kernel, and the quickest was disturbed least.
    return min([once() for _ in range(1 + _PROBES)][1:])


def round_rows(x: torch.Tensor, kind: torch.dtype) -> Factors:
    """The rows (N, D), of length about 1, as factors of `kind`: int8, bfloat16, or float32, as they are."""
    if kind == torch.int8:
        return Factors(*dithered_rows(x))
    if kind == torch.bfloat16:
        return _halved(x)
    return Factors(x, 1.0, product_error(x.shape[1]))


def _halved(x: torch.Tensor) -> Factors:
    shorter = x.bfloat16()
    longest = largest_error = 0.0
    for start in range(0, len(x), _CHUNK_ROWS):
        rows, rounded = x[start : start + _CHUNK_ROWS], shorter[start : start + _CHUNK_ROWS].float()
        for part in (rows, rounded):
            longest = max(longest, float(torch.linalg.vector_norm(part, dim=1).max()))
        largest_error = max(largest_error, float(torch.linalg.vector_norm(rows - rounded, dim=1).max()))
    # 1 itself is a number of bfloat16: products that exceed it by little are rounded by no more than that.
    written_down = min(2 * _HALF_STEP * longest**2, max(_HALF_STEP, longest**2 - 1))
    return Factors(shorter, 1.0, 2 * largest_error * longest + written_down + product_error(x.shape[1]))
