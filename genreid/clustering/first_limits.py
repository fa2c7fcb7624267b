"""What a row's candidates exceed, told by a sample of the rows before all of them are seen.

A row that knows no limit takes c·(1 + ln(N / c)) entries until the c best of N are found, six times c and
more; one that begins with a good limit takes less than two times c. The limit is the 40th best of a sample,
drawn by a seed, in which sixteen of the c best are expected. How many there are is hypergeometric, whatever
the rows are and in whatever order, so that 40 or more of them come in three of ten million rows (a Poisson
variable's tail bounds it). Such a row ends with fewer than c entries, and is looked over again without a
limit: the answer is the same in any case.

Shapes: N rows of D int8 numbers, S sampled rows, c candidates.
"""

from __future__ import annotations

import numpy as np
import torch

from genreid.clustering.blocks import BestOfRows, all_blocks

EXPECTED, RANK = 16, 40
"""Of a row's c best in the sample, and the place in it that makes the limit."""

_MULTIPLY_ADDS = 6750
"""That take as long as an entry: 45 ns and 1/150 ns (AMD EPYC with VNNI, one thread)."""


def num_sampled(num: int, width: int, num_candidates: int) -> int:
    """S; none where to multiply the sample takes longer than it spares, as with wide rows.

    The sizes alone decide: nothing is timed.
    """
    sampled = EXPECTED * num // max(num_candidates, EXPECTED)
    spared = num_candidates * (np.log(num / num_candidates) - np.log(RANK / EXPECTED))
    return sampled if spared * _MULTIPLY_ADDS > sampled * width else 0


def sample_rows(num: int, width: int, num_candidates: int) -> np.ndarray | None:
    """(S,) the rows of the sample, rising; None where there is none."""
    size = num_sampled(num, width, num_candidates)
    return np.sort(np.random.default_rng(0).choice(num, size, replace=False, shuffle=False)) if size else None


def first_limits(rounded: torch.Tensor, sampled: torch.Tensor) -> np.ndarray:
    """(N,) int32, for `BestOfRows`: of rounded rows (N, D), by the sampled ones (S, D)."""
    best = BestOfRows(len(rounded), RANK)
    for row, column, block in all_blocks(rounded, sampled):
        best.offer_rows(block, row, column)
    return best.limits
