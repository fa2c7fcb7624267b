"""The head of each query's list, for showing. Q queries, k images each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from genreid.evaluation.distances import SimilarityRows, query_chunks
from genreid.evaluation.protocol import DISTRACTOR, JUNK, Labels


@dataclass(frozen=True)
class RankedLists:
    """The first k gallery images of each query, for showing.

    index: (Q, k) int64 into the gallery, −1 past the end of the list. is_match: (Q, k) bool. similarity:
    (Q, k) float32 cosine, −inf past the end. Junk and a query's own identity in its own camera are left out.
    """

    index: np.ndarray
    is_match: np.ndarray
    similarity: np.ndarray


def top_matches(
    query_features: np.ndarray | torch.Tensor,
    query_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_features: np.ndarray | torch.Tensor,
    gallery_ids: np.ndarray,
    gallery_cameras: np.ndarray,
    *,
    k: int,
) -> RankedLists:
    """The first k gallery images of each query by cosine similarity; arguments as in `ranking.rank`."""
    rows = SimilarityRows(query_features, gallery_features)
    queries = Labels.of(query_ids, query_cameras, rows.shape[0], "query")
    gallery = Labels.of(gallery_ids, gallery_cameras, rows.shape[1], "gallery")
    lists = [_top_chunk(rows[chunk], chunk, queries, gallery, k) for chunk in query_chunks(rows.shape)]
    index, is_match, similarity = (np.concatenate(part) for part in zip(*lists, strict=True))
    return RankedLists(index, is_match, similarity)


def _top_chunk(
    negative: np.ndarray, chunk: slice, queries: Labels, gallery: Labels, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, cameras = queries.ids[chunk, None], queries.cameras[chunk, None]
    same = gallery.ids == ids
    left_out = (same & (gallery.cameras == cameras)) | (gallery.ids == JUNK)
    similarity = np.where(left_out, -np.inf, -negative).astype(np.float32)
    index = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    similarity = np.take_along_axis(similarity, index, 1)
    is_match = np.take_along_axis(same & (ids != DISTRACTOR), index, 1) & np.isfinite(similarity)
    return np.where(np.isfinite(similarity), index, -1), is_match, similarity
