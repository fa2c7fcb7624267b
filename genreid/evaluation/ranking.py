"""Retrieval figures of the Market-1501 protocol: mAP, CMC and mINP, without sorting the gallery.

Source: Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015 (protocol, mAP, CMC); Ye et
al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2022, section 3.1 (mINP).

All that the figures need is the rank of each true match: the number of gallery images before it. So only the
true matches of a query are sorted, and for each of them the gallery images that are nearer are counted.
 - For each query, gallery images of its identity *and* camera are left out. Junk (identity −1) is left out of
   every list; identity 0, a distractor, stays in as a wrong answer. Unknown cameras (−1) count as one camera.
 - Equal distances stand in the order of the gallery.
 - AP is the mean over true matches of the precision at their rank, the field's AP (the trapezoidal one is
   lower by some thousandths). INP is (number of true matches) / (rank of the last).
 - A query without a true match, or of identity 0 or −1, is left out of all means and counted.

Shapes: Q queries, G gallery images, D embedding width, R ranks of the CMC, k matches to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numba import njit

from genreid.clustering.similarity import unit_rows
from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError

JUNK = -1
DISTRACTOR = 0

CHUNK_BYTES = 1 << 26
"""Distances held at a time (64 MiB), whatever the size of the gallery."""


class DistanceRows(Protocol):
    """A (Q, G) matrix of distances that need not exist as a whole; a NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


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


@dataclass(frozen=True)
class RankedLists:
    """The first k gallery images of each query, for showing.

    index: (Q, k) int64 into the gallery, −1 past the end of the list. is_match: (Q, k) bool. similarity:
    (Q, k) float32 cosine, −inf past the end. Junk and a query's own identity in its own camera are left out.
    """

    index: np.ndarray
    is_match: np.ndarray
    similarity: np.ndarray


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
    queries = _Labels.of(query_ids, query_cameras, distances.shape[0], "query")
    gallery = _Labels.of(gallery_ids, gallery_cameras, distances.shape[1], "gallery")
    _require_cameras(queries, gallery)
    groups = _Groups.of(queries, gallery)
    chunks = _query_chunks(distances.shape)
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
    """The first k gallery images of each query by cosine similarity; arguments as in `rank`."""
    rows = SimilarityRows(query_features, gallery_features)
    queries = _Labels.of(query_ids, query_cameras, rows.shape[0], "query")
    gallery = _Labels.of(gallery_ids, gallery_cameras, rows.shape[1], "gallery")
    lists = [_top_chunk(rows[chunk], chunk, queries, gallery, k) for chunk in _query_chunks(rows.shape)]
    index, is_match, similarity = (np.concatenate(part) for part in zip(*lists, strict=True))
    return RankedLists(index, is_match, similarity)


class SimilarityRows:
    """Negative cosine similarities (Q, G), computed slice by slice; they order as 1 − cos does."""

    def __init__(
        self, query_features: np.ndarray | torch.Tensor, gallery_features: np.ndarray | torch.Tensor
    ) -> None:
        unit_rows(query_features, "query features")
        unit_rows(gallery_features, "gallery features")
        self._queries = torch.as_tensor(query_features).detach().float()
        self._gallery = torch.as_tensor(gallery_features).detach().float()
        if self._queries.shape[1] != self._gallery.shape[1]:
            raise GenreidError(
                f"query features are {self._queries.shape[1]} wide, gallery features "
                f"{self._gallery.shape[1]}: expected one width; embed both with one encoder"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._queries), len(self._gallery)

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        with torch.no_grad():
            return (self._queries[rows] @ self._gallery.T).neg_().cpu().numpy()


@dataclass(frozen=True)
class _Labels:
    ids: np.ndarray
    cameras: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray, cameras: np.ndarray, num: int, split: str) -> _Labels:
        ids, cameras = np.asarray(ids, np.int64), np.asarray(cameras, np.int64)
        if ids.shape != (num,) or cameras.shape != (num,) or num == 0:
            raise GenreidError(
                f"{split}: {ids.shape} identities and {cameras.shape} cameras for {num} images: expected one "
                "of each an image, and at least one image; check the manifest's split"
            )
        return cls(ids, cameras)


@dataclass(frozen=True)
class _Groups:
    """Gallery images by identity: `members` sorted by identity, then position; junk kept apart.

    begin, end: (Q,) where the images of a query's identity stand in `members`; equal if it cannot match.
    """

    members: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    junk: np.ndarray

    @classmethod
    def of(cls, queries: _Labels, gallery: _Labels) -> _Groups:
        members = np.argsort(gallery.ids, kind="stable")
        sorted_ids = gallery.ids[members]
        begin = np.searchsorted(sorted_ids, queries.ids, side="left")
        end = np.searchsorted(sorted_ids, queries.ids, side="right")
        nobody = (queries.ids == JUNK) | (queries.ids == DISTRACTOR)
        return cls(members, begin, np.where(nobody, begin, end), np.flatnonzero(gallery.ids == JUNK))


def _require_cameras(queries: _Labels, gallery: _Labels) -> None:
    cameras = np.union1d(queries.cameras, gallery.cameras)
    if len(cameras) == 1:
        raise GenreidError(
            f"query and gallery are all of camera {cameras[0]}: cross-camera metrics are undefined; expected "
            "images from at least 2 cameras; check the camera column of the manifest"
        )


def _query_chunks(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, CHUNK_BYTES // (4 * shape[1]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def _rank_chunk(
    distances: np.ndarray, chunk: slice, queries: _Labels, gallery: _Labels, groups: _Groups
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
        _rank_queries(
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


@njit(cache=True, nogil=True)
def _rank_queries(
    distances: np.ndarray,
    cameras: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    members: np.ndarray,
    junk: np.ndarray,
    gallery_cameras: np.ndarray,
    precision: np.ndarray,
    inverse_penalty: np.ndarray,
    first: np.ndarray,
    sound: np.ndarray,
) -> None:
    row = np.empty(distances.shape[1], distances.dtype)
    matches = np.empty(members.shape[0], np.int64)
    for q in range(distances.shape[0]):
        row[:] = distances[q]
        sound[q] = _all_finite(row)
        num_matches = 0
        for e in range(begin[q], end[q]):
            g = members[e]
            if gallery_cameras[g] == cameras[q]:
                # What is left out of the list stands behind everything that is in it.
                row[g] = np.inf
                continue
            # A stable insertion into the matches so far: they come in gallery order, and ties stay in it.
            slot = num_matches
            while slot > 0 and row[matches[slot - 1]] > row[g]:
                matches[slot] = matches[slot - 1]
                slot -= 1
            matches[slot] = g
            num_matches += 1
        if num_matches == 0:
            continue
        for g in junk:
            row[g] = np.inf
        total = 0.0
        place = 0
        for m in range(num_matches):
            place = 1 + int(_count_before(row, matches[m]))
            total += (m + 1) / place
            if m == 0:
                first[q] = place
        precision[q] = total / num_matches
        inverse_penalty[q] = num_matches / place


@njit(cache=True, nogil=True)
def _all_finite(row: np.ndarray) -> bool:
    bad = np.int32(0)
    for g in range(row.shape[0]):
        bad = np.int32(bad + np.int32(not abs(row[g]) < np.inf))
    return bad == 0


@njit(cache=True, nogil=True)
def _count_before(row: np.ndarray, t: int) -> np.int32:
    """Images nearer than image t, or equally near and earlier in the gallery.

    Written so that both loops vectorise, which makes them 5 times as fast: no branch, indices that cannot be
    negative, and a count in int32, as wide as the distances.
    """
    limit = row[t]
    earlier, later = row[:t], row[t + 1 :]
    count = np.int32(0)
    for g in range(earlier.shape[0]):
        count = np.int32(count + np.int32(earlier[g] <= limit))
    for g in range(later.shape[0]):
        count = np.int32(count + np.int32(later[g] < limit))
    return count


def _top_chunk(
    negative: np.ndarray, chunk: slice, queries: _Labels, gallery: _Labels, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, cameras = queries.ids[chunk, None], queries.cameras[chunk, None]
    same = gallery.ids == ids
    left_out = (same & (gallery.cameras == cameras)) | (gallery.ids == JUNK)
    similarity = np.where(left_out, -np.inf, -negative).astype(np.float32)
    index = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    similarity = np.take_along_axis(similarity, index, 1)
    is_match = np.take_along_axis(same & (ids != DISTRACTOR), index, 1) & np.isfinite(similarity)
    return np.where(np.isfinite(similarity), index, -1), is_match, similarity
