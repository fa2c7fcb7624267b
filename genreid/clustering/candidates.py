"""What a search proposes to `neighbours`, which orders it.

Shapes: N images, c candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUM_SPARE = 8
"""Candidates beyond those asked for, so that rounding rarely leaves a row undecided."""

MAX_PAIRS = 1 << 22
"""Similarities held at a time while undecided rows are searched again."""


@dataclass(frozen=True)
class Candidates:
    """index (N, c) int32, the least similar one last.

    No other image's similarity exceeds `floor` (N,). `error` bounds the difference between the search's
    similarities and the true ones. farthest: (N,) the largest squared distance, None unless asked for.
    """

    index: np.ndarray
    floor: np.ndarray
    error: float
    farthest: np.ndarray | None
