"""Distances of queries and gallery, a few queries at a time: Q queries, G gallery images, D their width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from genreid.clustering.similarity import as_factor, products, unit_rows
from genreid.errors import GenreidError

CHUNK_BYTES = 1 << 26
"""Distances held at a time (64 MiB), whatever the size of the gallery."""


class DistanceRows(Protocol):
    """A (Q, G) matrix of distances that need not exist as a whole; a NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


class SimilarityRows:
    """Negative cosine similarities (Q, G), computed slice by slice; they order as 1 − cos does."""

    def __init__(
        self, query_features: np.ndarray | torch.Tensor, gallery_features: np.ndarray | torch.Tensor
    ) -> None:
        unit_rows(query_features, "query features")
        unit_rows(gallery_features, "gallery features")
        self._queries = torch.as_tensor(query_features).detach().float()
        gallery = torch.as_tensor(gallery_features).detach().float()
        if self._queries.shape[1] != gallery.shape[1]:
            raise GenreidError(
                f"query features are {self._queries.shape[1]} wide, gallery features "
                f"{gallery.shape[1]}: expected one width; embed both with one encoder"
            )
        self._gallery = as_factor(gallery)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._queries), len(self._gallery)

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        with torch.no_grad():
            return products(self._queries[rows], self._gallery).neg_().cpu().numpy()


def query_chunks(shape: tuple[int, ...]) -> Iterator[slice]:
    """The queries, as many at a time as `CHUNK_BYTES` hold distances of; shape: (Q, G)."""
    step = max(1, CHUNK_BYTES // (4 * shape[1]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))
