"""The searches by their names in the settings, and what the exact one is on this machine.

Two exact ways give the same answer and differ in time alone (docs/performance.md): faiss multiplies all pairs
in float32, `int8_search` each pair once in int8. GPUs and small sets are faiss's, all else goes where the
processor is quick.

Shapes: N images, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from genreid.clustering.candidates import Candidates
from genreid.clustering.faiss_search import num_faiss_gpus, search_faiss, search_hnsw
from genreid.clustering.int8_products import int8_is_quick
from genreid.clustering.int8_search import propose_int8, search_int8
from genreid.clustering.settings import Method
from genreid.clustering.short_rows import short_rows
from genreid.errors import GenreidError

Search = Callable[[np.ndarray, int, bool], Candidates]
"""Rows (N, D), candidates of each, whether the farthest image is wanted → candidates."""

FEW_ROWS = 4096
"""Fewer go to faiss, which compiles nothing and takes 0.2 s for 3,000 (docs/performance.md)."""

PCA_BOUND_SPARE = 2
"""Candidates of `pca_bound` for each one of an exact search."""


def quickest_search(num_images: int) -> Search:
    """The exact way that takes the least time for so many images on this machine."""
    if num_images >= FEW_ROWS and int8_is_quick() and num_faiss_gpus() == 0:
        return search_int8
    return search_faiss


def search_exact(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
    """All pairs, by the way that is quickest here."""
    return quickest_search(len(rows))(rows, num_candidates, with_farthest)


def search_pca_bound(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
    """Approximate: all pairs of short rows, whose candidates nothing certifies."""
    if with_farthest:
        raise GenreidError(
            "neighbour search 'pca_bound' does not know the farthest image: set `method` to exact"
        )
    short, wanted = short_rows(rows), min(PCA_BOUND_SPARE * num_candidates, len(rows))
    if quickest_search(len(rows)) is search_int8:
        index = propose_int8(short, wanted)
    else:
        index = search_faiss(short, wanted, False).index
    return Candidates(index, np.full(len(rows), -np.inf, np.float32), 0.0, None)


SEARCHES: dict[Method, Search] = {"exact": search_exact, "pca_bound": search_pca_bound, "hnsw": search_hnsw}
