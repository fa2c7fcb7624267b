"""Rows shortened to the directions in which they differ most: what the approximate searches look at.

Shapes: N rows x of D numbers.
"""

from __future__ import annotations

import numpy as np
import torch

from genreid.clustering.similarity import full_precision

SAMPLE_ROWS = 2048
"""Rows that the basis is made of."""

SHORT_WIDTH = 256
"""Numbers of a short row."""


def short_rows(rows: np.ndarray) -> np.ndarray:
    """(N, d) the `SHORT_WIDTH` coordinates of largest variance of rows (N, D); shorter ones as they are."""
    if rows.shape[1] <= SHORT_WIDTH:
        return rows
    x = torch.from_numpy(rows)
    with full_precision():
        short: np.ndarray = (x @ principal_directions(x[:: -(-len(x) // SAMPLE_ROWS)], SHORT_WIDTH)).numpy()
    return short


def principal_directions(sample: torch.Tensor, num: int) -> torch.Tensor:
    """(D, num) float32 orthonormal columns: about the principal directions of the sample (S, D), in order.

    Randomised subspace iteration (Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4), one round.
    """
    start = torch.randn(len(sample), num, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.qr(sample.T @ start).Q
    found = torch.linalg.qr(sample.T @ (sample @ found)).Q
    seen = sample @ found
    return found @ torch.linalg.eigh(seen.T @ seen).eigenvectors.flip(1)
