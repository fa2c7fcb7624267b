"""Products of rows rounded to bfloat16, where a processor multiplies those several times faster than float32.

A row is x = b + e, b being x rounded. By the inequality of Cauchy and Schwarz
    |xᵢ·xⱼ − bᵢ·bⱼ| = |eᵢ·xⱼ + bᵢ·eⱼ| ≤ |eᵢ||xⱼ| + |bᵢ||eⱼ|,
at most 0.008 for unit rows: whoever takes somewhat more candidates than asked for, and looks at the few
rows again that this bound leaves undecided, has the exact answer (`neighbours`).

Shapes: N rows x of D numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch

from genreid.clustering.similarity import product_error

WORTH_IT = 2.0
"""Speed of the rounded product, in float32 ones, from which on it is used: its candidates cost more."""

_ROUNDING = 2.0**-8
_PROBE_ROWS, _PROBE_WIDTH, _PROBES = 1024, 2048, 3


@lru_cache(maxsize=1)
def speed() -> float:
    """How many times faster this processor multiplies rounded rows; about 1 where it has no such unit.

    Measured once, in 50 ms. Whatever it says, the answers are the same.
    """
    rows = torch.ones(_PROBE_ROWS, _PROBE_WIDTH)

    def seconds() -> float:
        torch.mm(rows, rows.T)
        begin = time.perf_counter()
        for _ in range(_PROBES):
            torch.mm(rows, rows.T)
        return time.perf_counter() - begin

    plain = seconds()
    with rounded_products():
        return plain / seconds()


@contextmanager
def rounded_products() -> Iterator[None]:
    """Within the block float32 products round their factors to bfloat16; sums and results stay float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def rounding_error(x: torch.Tensor) -> float:
    """The most by which a product of two of the rows (N, D) may differ from the one of rounded rows.

    bfloat16 keeps 8 bits of a number: |e| ≤ 2⁻⁸·|x|.
    """
    longest = float(torch.linalg.vector_norm(x, dim=1).max())
    return longest**2 * (2 * _ROUNDING + _ROUNDING**2) + product_error(x.shape[1])
