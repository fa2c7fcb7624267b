"""k-reciprocal re-ranking of a gallery, on the sparse machinery of the clustering.

Source: Zhong, Zheng, Cao, Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017
(usual settings: k1 = 20, k2 = 6, λ = 0.3). Query and gallery images are taken together; with d the squared
Euclidean distance of unit rows, divided in each row by its largest value over all images, and J the Jaccard
distance of d (`clustering/jaccard.py`, k1 + 1 columns including the image itself):
    d*(q, g) = (1 − λ)·J(q, g) + λ·d(q, g)

Deviation: programs of the field square their distances once more before all this, whatever they were; here d
is the paper's.

Shapes: Q queries, G gallery images, N = Q + G, D embedding width.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array

from genreid.clustering.jaccard import half_columns, overlapping_pairs, reciprocal_weights
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.similarity import as_factor, products, unit_rows
from genreid.clustering.threads import map_row_chunks
from genreid.evaluation.settings import RerankingSettings


def rerank(
    query_features: np.ndarray | torch.Tensor,
    gallery_features: np.ndarray | torch.Tensor,
    settings: RerankingSettings,
) -> RerankedDistances:
    """Re-ranked distances d* of Q queries to G gallery images, for `ranking.rank_from_distances`.

    query_features (Q, D), gallery_features (G, D): float32 unit rows. Counts of neighbours are limited to N.
    Raises GenreidError for impossible settings and for features that are not finite unit rows.
    """
    queries = unit_rows(query_features, "query features")
    gallery = unit_rows(gallery_features, "gallery features")
    features = np.concatenate((queries, gallery))
    neighbours = nearest_neighbours(features, settings.k1 + 1, method="exact", with_farthest=True)
    assert neighbours.farthest is not None
    # Equal images all along leave nothing to divide by.
    farthest = np.maximum(neighbours.farthest, np.finfo(np.float32).tiny)
    weights = reciprocal_weights(
        features,
        neighbours,
        num_columns=settings.k1 + 1,
        num_half=half_columns(settings.k1),
        k2=settings.k2,
        max_distance=farthest,
    )
    return RerankedDistances(queries, gallery, weights, farthest[: len(queries)], settings.original_weight)


class RerankedDistances:
    """The (Q, G) float32 matrix d*, computed slice by slice: `distances[start:stop]`."""

    def __init__(
        self,
        queries: np.ndarray,
        gallery: np.ndarray,
        weights: csr_array,
        farthest: np.ndarray,
        original_weight: float,
    ) -> None:
        """weights: V (N, N), queries first. farthest: (Q,) the largest squared distance of each query."""
        self._queries, self._gallery = torch.from_numpy(queries), as_factor(torch.from_numpy(gallery))
        self._weights, self._transposed = weights, weights.T.tocsr()
        self._farthest = farthest
        self._original_weight = np.float32(original_weight)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._queries), len(self._gallery)

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        begin, end, step = rows.indices(len(self._queries))
        assert step == 1, "re-ranked distances are given in consecutive rows"
        result = products(self._queries[begin:end], self._gallery).numpy()
        share = np.float32(1) - self._original_weight
        scale = 2 * self._original_weight / self._farthest[begin:end, None]

        def work(start: int, stop: int) -> None:
            """λ·d + (1 − λ), lowered where a pair shares a weight; all others are at Jaccard distance 1."""
            # In place and few rows at a time: they stay in the cache from one operation to the next.
            rows = result[start:stop]
            rows -= 1
            rows *= -scale[start:stop]
            np.maximum(rows, 0, out=rows)
            rows += share
            num_queries = len(self._queries)
            counts, columns, jaccard = overlapping_pairs(
                self._weights, self._transposed, begin + start, begin + stop, first_column=num_queries
            )
            row = np.repeat(np.arange(stop - start), counts)
            rows[row, columns - num_queries] -= share * (1 - jaccard)

        map_row_chunks(work, end - begin)
        return result
