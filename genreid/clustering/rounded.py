"""Products of rows rounded to bfloat16, where a processor multiplies those several times faster than float32.

A row is x = b + e, b being x rounded. By the inequality of Cauchy and Schwarz
    |xᵢ·xⱼ − bᵢ·bⱼ| = |eᵢ·xⱼ + bᵢ·eⱼ| ≤ |eᵢ||xⱼ| + |bᵢ||eⱼ|,
and the product is rounded once more when it is written down. The lengths |e| are measured: in all at most
0.010 for unit rows, and about 0.005 for embeddings. Whoever takes some more candidates than asked for, and
looks at the few rows again that this bound leaves undecided, has the exact answer (`neighbours`).

Shapes: N rows x of D numbers.
"""

from __future__ import annotations

import time
from functools import lru_cache

import torch

from genreid.clustering.similarity import product_error

WORTH_IT = 2.0
"""Speed of the rounded product, in float32 ones, from which on it is used: its candidates cost more."""

_HALF_STEP = 2.0**-9
"""How far a number below 1 is from the nearest one that bfloat16 has; twice as far, at most, below 2."""

_CHUNK_ROWS = 256
"""Rows whose errors are measured at a time: they stay in the cache."""

_PROBE_ROWS, _PROBE_WIDTH, _PROBES = 512, 2048, 3


@lru_cache(maxsize=1)
def speed() -> float:
    """How many times faster this processor multiplies rounded rows; below 1 where it has no such unit.

    Measured once, in 50 ms. Whatever it says, the answers are the same.
    """
    rows = torch.ones(_PROBE_ROWS, _PROBE_WIDTH)
    shorter = rows.bfloat16()
    result = torch.empty(_PROBE_ROWS, _PROBE_ROWS)

    def seconds(factor: torch.Tensor) -> float:
        begin = time.perf_counter()
        result.copy_(torch.mm(factor, factor.T))
        return time.perf_counter() - begin

    # The first of each prepares its kernel, and the quickest was disturbed least.
    plain, fast = (min([seconds(factor) for _ in range(1 + _PROBES)][1:]) for factor in (rows, shorter))
    return plain / fast


def round_rows(x: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The rows (N, D) in bfloat16, and the most by which a product of two of those, itself in bfloat16, may
    differ from that of the rows.
    """
    shorter = x.bfloat16()
    longest = largest_error = 0.0
    for start in range(0, len(x), _CHUNK_ROWS):
        rows, rounded = x[start : start + _CHUNK_ROWS], shorter[start : start + _CHUNK_ROWS].float()
        for part in (rows, rounded):
            longest = max(longest, float(torch.linalg.vector_norm(part, dim=1).max()))
        largest_error = max(largest_error, float(torch.linalg.vector_norm(rows - rounded, dim=1).max()))
    # 1 itself is a number of bfloat16: products that exceed it by little are rounded by no more than that.
    written_down = min(2 * _HALF_STEP * longest**2, max(_HALF_STEP, longest**2 - 1))
    return shorter, 2 * largest_error * longest + written_down + product_error(x.shape[1])
