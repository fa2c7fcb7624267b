"""Retrieval figures of the Market-1501 protocol: mAP, CMC and mINP, without sorting the gallery.

Source: Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015 (protocol, mAP, CMC); Ye et
al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2022, section 3.1 (mINP).

 - Who may match whom: `protocol`. Equal distances stand in the order of the gallery.
 - AP is the mean over true matches of the precision at their rank, the field's AP (the trapezoidal one is
   lower by some thousandths). INP is (number of true matches) / (rank of the last).
 - A query without a true match, or of identity 0 or −1, is left out of all means and counted.

Shapes: Q queries, G gallery images, D embedding width, R ranks of the CMC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError
from genreid.evaluation.distances import DistanceRows, SimilarityRows, query_chunks
from genreid.evaluation.places import rank_queries
from genreid.evaluation.protocol import Groups, Labels, require_cameras


@dataclass(frozen=True)
class RankingResult:
    """Figures of one ranking.

    mean_ap: mean average precision, 0 to 1. cmc: (R,) float64, cmc[r−1] is the share of queries with a true
    match among their first r. mean_inp: mean inverse negative penalty. num_queries: all queries asked, of
    which `num_without_match` were left out of the means. average_precision: (Q,) float64, NaN where left out.
    first_match: (Q,) int64, rank of the first true match from 1 on, 0 where left out.
    """

    mean_ap: float
    cmc: np.ndarray
    mean_inp: float
    num_queries: int
    num_without_match: int
    average_precision: np.ndarray
    first_match: np.ndarray


def rank(
    query_features: np.ndarray | torch.Tensor,
    query_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_features: np.ndarray | torch.Tensor,
    gallery_ids: np.ndarray,
    gallery_cameras: np.ndarray,
    *,
    max_rank: int,
) -> RankingResult:
    """Figures of ranking the gallery by cosine similarity.

    query_features (Q, D), gallery_features (G, D): float32 unit rows; tensors on a GPU are multiplied there.
    ids, cameras: (Q,) and (G,) integers. max_rank: R, the length of the CMC.
    """
    similarities = SimilarityRows(query_features, gallery_features)
    return rank_from_distances(
        similarities, query_ids, query_cameras, gallery_ids, gallery_cameras, max_rank=max_rank
    )


def rank_from_distances(
    distances: DistanceRows,
    query_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_ids: np.ndarray,
    gallery_cameras: np.ndarray,
    *,
    max_rank: int,
) -> RankingResult:
    """Figures of ranking the gallery by given distances (Q, G), smaller first; float32 or float64, finite.

    Raises GenreidError when shapes disagree, when there is one camera only, and when no query has a true
    match.
    """
    queries = Labels.of(query_ids, query_cameras, distances.shape[0], "query")
    gallery = Labels.of(gallery_ids, gallery_cameras, distances.shape[1], "gallery")
    require_cameras(queries, gallery)
    groups = Groups.of(queries, gallery)
    chunks = query_chunks(distances.shape)
    outcomes = [_rank_chunk(distances[chunk], chunk, queries, gallery, groups) for chunk in chunks]
    precision, inverse_penalty, first = (np.concatenate(part) for part in zip(*outcomes, strict=True))
    found = first > 0
    if not found.any():
        raise GenreidError(
            f"none of {len(first)} queries has an image of its identity from another camera in the gallery: "
            "mAP and CMC are undefined; check the identities and cameras of the query and gallery splits"
        )
    return RankingResult(
        mean_ap=float(precision[found].mean()),
        cmc=(first[found, None] <= np.arange(1, max_rank + 1)).mean(0),
        mean_inp=float(inverse_penalty[found].mean()),
        num_queries=len(first),
        num_without_match=int(np.count_nonzero(~found)),
        average_precision=precision,
        first_match=first,
    )


def _rank_chunk(
    distances: np.ndarray, chunk: slice, queries: Labels, gallery: Labels, groups: Groups
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average precision, inverse negative penalty (both NaN) and first rank (0 where there is no match)."""
    distances = np.ascontiguousarray(distances)
    num = len(distances)
    precision, inverse_penalty = np.full(num, np.nan), np.full(num, np.nan)
    first = np.zeros(num, np.int64)
    sound = np.ones(num, np.bool_)
    cameras, begin, end = queries.cameras[chunk], groups.begin[chunk], groups.end[chunk]

    def work(start: int, stop: int) -> None:
        mine = slice(start, stop)
        rank_queries(
            distances[mine],
            cameras[mine],
            begin[mine],
            end[mine],
            groups.members,
            groups.junk,
            gallery.cameras,
            precision[mine],
            inverse_penalty[mine],
            first[mine],
            sound[mine],
        )

    map_row_chunks(work, num)
    if not sound.all():
        raise GenreidError(
            f"the distances of query {chunk.start + int(np.argmin(sound))} are not all finite: expected "
            "numbers; look for embeddings that are not finite"
        )
    return precision, inverse_penalty, first
