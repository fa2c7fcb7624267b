"""The place of each true match in the list of its query, without sorting the gallery; compiled.

All that the figures need is the number of gallery images before a true match. So only the true matches of a
query are sorted. One look at the gallery picks the images that are no farther than the last of them, mostly a
small part, and among those the nearer ones are counted for each match.
"""

from __future__ import annotations

import numpy as np
from numba import njit

GROUP = 64
"""Distances that are dismissed together."""


@njit(cache=True, nogil=True)
def rank_queries(
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
    """Write down AP, INP and first rank of each query that has a true match; `sound`: all distances finite.

    begin, end: (Q,) where the images of a query's identity stand in `members`, as in `protocol.Groups`.
    """
    row = np.empty(distances.shape[1], distances.dtype)
    near = np.empty(distances.shape[1], distances.dtype)
    image = np.empty(distances.shape[1], np.int32)
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
        num_near = _pick_near(row, row[matches[num_matches - 1]], near, image)
        total = 0.0
        place = 0
        for m in range(num_matches):
            t = np.searchsorted(image[:num_near], matches[m])
            place = 1 + int(_count_before(near[:num_near], t))
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
def _pick_near(row: np.ndarray, limit: float, near: np.ndarray, image: np.ndarray) -> int:
    """Distances up to `limit` and whose they are, in the order of the gallery; returns how many."""
    found = 0
    for begin in range(0, row.shape[0], GROUP):
        group = row[begin : min(begin + GROUP, row.shape[0])]
        reached = np.int32(0)
        for g in range(group.shape[0]):
            reached = np.int32(reached + np.int32(group[g] <= limit))
        if reached == 0:
            continue
        for g in range(group.shape[0]):
            near[found], image[found] = group[g], begin + g
            found += group[g] <= limit
    return found


@njit(cache=True, nogil=True)
def _count_before(row: np.ndarray, t: int) -> np.int32:
    """Entries of `row` nearer than entry t, or equally near and earlier.

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
