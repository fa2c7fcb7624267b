"""The Jaccard distances of a piece's rows: what `genreid.clustering.jaccard` works out on one machine.

Four steps, each of which needs what the one before it has made of all pieces: `find_reciprocal`,
`find_weights` (v), `average_weights` (V) and `find_pairs`. In each, what belongs to the piece stays in memory
and that of all pieces passes by, one piece at a time. Sums are added in the order of the one machine.

Shapes: N rows in all, R of the piece, k1 columns of the neighbour table, h columns that expansion looks at, M
entries of the piece's sparse rows, E pairs.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import coo_array, csr_array

from genreid.clustering.jaccard import (
    MIN_DISTANCE,
    Rows,
    half_columns,
    mean_rows,
    overlapping_pairs,
    similarity_to_weight,
    stack,
)
from genreid.clustering.sharded.search import NEIGHBOURS, Table
from genreid.clustering.sharded.shelf import Shelf
from genreid.clustering.threads import map_row_chunks

RECIPROCAL = "reciprocal"
"""Kept of each piece: the sets R(i, k1) and R(i, h) of the formula, as in `jaccard`: members full (R, k1) and
half (R, h), of which the first full_count and half_count (R,) are valid."""

EXPANDED, MEAN = "expanded", "mean"
"""Kept of each piece: v and V of the formula as counts (R,), columns (M,) and values (M,)."""

PAIRS = "pairs"
"""Kept of each piece: row < column (E,) int32, numbered among all rows, distance and cosine (E,)."""


def find_reciprocal(shelf: Shelf, piece: int, k1: int) -> None:
    """Keep which neighbours of the piece's rows have these among their own."""
    own = shelf.piece(piece)
    (index,) = shelf.get(NEIGHBOURS, piece, "index")
    width = min(k1, index.shape[1])
    back = np.full((len(own), width), width, np.int32)
    for other in range(shelf.num_pieces):
        (theirs,) = shelf.get(NEIGHBOURS, other, "index")
        _find_back(index, own.start, theirs, shelf.piece(other).start, back)
    full, full_count = _both_ways(index, back, width)
    half, half_count = _both_ways(index, back, min(half_columns(k1), width))
    shelf.put(RECIPROCAL, piece, full=full, full_count=full_count, half=half, half_count=half_count)


@njit(cache=True, nogil=True)
def _find_back(index: np.ndarray, start: int, theirs: np.ndarray, first: int, back: np.ndarray) -> None:
    """The place of each row in the lists of its neighbours, as far as these are `theirs`.

    `back` is left as it is where a list does not have the row.
    """
    num, width = back.shape
    for i in range(num):
        for p in range(width):
            j = index[i, p] - first
            if 0 <= j < theirs.shape[0]:
                for q in range(width):
                    if theirs[j, q] == start + i:
                        back[i, p] = q
                        break


def _both_ways(index: np.ndarray, back: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """R(i, width): members (R, width) in the order of the list, and how many."""
    kept = back[:, :width] < width
    order = np.argsort(~kept, axis=1, kind="stable")
    members = np.take_along_axis(index[:, :width], order, 1)
    return np.ascontiguousarray(members), kept.sum(1, dtype=np.int32)


def find_weights(shelf: Shelf, piece: int) -> None:
    """Keep v of the piece's rows."""
    index, similarity = shelf.get(NEIGHBOURS, piece, "index", "similarity")
    full, full_count = shelf.get(RECIPROCAL, piece, "full", "full_count")
    added = []
    for other in range(shelf.num_pieces):
        half, half_count = shelf.get(RECIPROCAL, other, "half", "half_count")
        added.append(_additions(full, full_count, half, half_count, shelf.piece(other).start))
    row, place, column = (np.concatenate(part) for part in zip(*added, strict=True))
    order = np.lexsort((place, row))  # stable: what one neighbour adds stays in its order
    ends = np.searchsorted(row[order], np.arange(len(index) + 1))
    del added, row, place
    expanded = _expand(full, full_count, ends, column[order], index, similarity)
    weights = stack([expanded], len(index), shelf.num_rows)
    _fill_unknown(shelf, piece, weights)
    similarity_to_weight(weights)
    _put(shelf, EXPANDED, piece, weights)


@njit(cache=True, nogil=True)
def _additions(
    full: np.ndarray, full_count: np.ndarray, half: np.ndarray, half_count: np.ndarray, first: int
) -> Rows:
    """Row, place and column of what R(i, k1) is expanded by, for its members whose R(c, h) is here."""
    room = 1024
    rows = np.empty(room, np.int32)
    places = np.empty(room, np.int32)
    columns = np.empty(room, np.int32)
    is_new = np.empty(half.shape[1], np.bool_)
    end = 0
    for i in range(full.shape[0]):
        members = np.sort(full[i, : full_count[i]])
        for p in range(full_count[i]):
            c = full[i, p] - first
            if c < 0 or c >= half.shape[0]:
                continue
            shared = 0
            for q in range(half_count[c]):
                at = np.searchsorted(members, half[c, q])
                is_new[q] = at == members.shape[0] or members[at] != half[c, q]
                shared += not is_new[q]
            if 3 * shared <= 2 * half_count[c]:
                continue
            if end + half.shape[1] > room:
                room *= 2
                rows = np.concatenate((rows, np.empty_like(rows)))
                places = np.concatenate((places, np.empty_like(places)))
                columns = np.concatenate((columns, np.empty_like(columns)))
            for q in range(half_count[c]):
                if is_new[q]:
                    rows[end] = i
                    places[end] = p
                    columns[end] = half[c, q]
                    end += 1
    return rows[:end].copy(), places[:end].copy(), columns[:end].copy()


@njit(cache=True, nogil=True)
def _expand(
    full: np.ndarray,
    full_count: np.ndarray,
    ends: np.ndarray,
    added: np.ndarray,
    index: np.ndarray,
    similarity: np.ndarray,
) -> Rows:
    """R*: the members of R(i, k1), then what is added, each once; values are the table's similarities, NaN
    where the table has none. Row i is expanded by added[ends[i] : ends[i + 1]]."""
    num = index.shape[0]
    room = added.shape[0] + full_count.sum()
    columns = np.empty(room, np.int32)
    values = np.empty(room, np.float32)
    counts = np.empty(num, np.int32)
    end = 0
    for i in range(num):
        first = end
        for p in range(full_count[i]):
            columns[end] = full[i, p]
            end += 1
        for a in range(ends[i], ends[i + 1]):
            is_new = True
            for e in range(first + full_count[i], end):
                if columns[e] == added[a]:
                    is_new = False
                    break
            if is_new:
                columns[end] = added[a]
                end += 1
        counts[i] = end - first
        for e in range(first, end):
            values[e] = np.nan
            for p in range(index.shape[1]):
                if index[i, p] == columns[e]:
                    values[e] = similarity[i, p]
                    break
    return counts, columns[:end].copy(), values[:end].copy()


def _fill_unknown(shelf: Shelf, piece: int, weights: csr_array) -> None:
    """Compute the similarities that the neighbour table did not have."""
    unknown = np.flatnonzero(np.isnan(weights.data))
    left = np.searchsorted(weights.indptr, unknown, side="right") - 1
    weights.data[unknown] = _similarities(shelf, piece, left, weights.indices[unknown])


def _similarities(shelf: Shelf, piece: int, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(M,) similarities of rows of the piece, counted from its first, and any rows."""
    result = np.empty(len(row), np.float32)
    order = np.argsort(column, kind="stable")
    rising = column[order]
    table = Table(shelf, piece)
    lowest, highest = (rising[0], rising[-1] + 1) if len(rising) else (0, 0)
    for block, _ in table.blocks(int(lowest), int(highest)):
        here = order[np.searchsorted(rising, block.start) : np.searchsorted(rising, block.stop)]
        result[here] = table.similarity(row[here], column[here] - block.start)
    return result


def average_weights(shelf: Shelf, piece: int, k2: int) -> None:
    """Keep V of the piece's rows."""
    if k2 == 1:
        weights = _get(shelf, EXPANDED, piece)
    else:
        (index,) = shelf.get(NEIGHBOURS, piece, "index")
        weights = _means(shelf, np.ascontiguousarray(index[:, :k2]))
    weights.sort_indices()
    _put(shelf, MEAN, piece, weights)


def _means(shelf: Shelf, nearest: np.ndarray) -> csr_array:
    """(R, N) the means of the rows of v that `nearest` (R, k2) names."""
    wanted = np.unique(nearest)
    parts: list[Rows] = []
    for other in range(shelf.num_pieces):
        piece = shelf.piece(other)
        first, last = np.searchsorted(wanted, (piece.start, piece.stop))
        if last > first:
            theirs = _get(shelf, EXPANDED, other)[wanted[first:last] - piece.start]
            parts.append((np.diff(theirs.indptr), theirs.indices, theirs.data))
    # Rows and columns are numbered among those that there are, so that nothing here is as long as all rows.
    kept = stack(parts, len(wanted), shelf.num_rows)
    columns, local = np.unique(kept.indices, return_inverse=True)
    csr = (kept.indptr, local.astype(np.int32), kept.data)
    rows = np.searchsorted(wanted, nearest).astype(np.int32)

    def work(start: int, stop: int) -> Rows:
        counts, places, values = mean_rows(*csr, rows, len(columns), start, stop)
        return counts, columns[places], values

    return stack(map_row_chunks(work, len(rows)), len(rows), shelf.num_rows)


def find_pairs(shelf: Shelf, piece: int, eps: float, least_cosine: float | None) -> None:
    """Keep the pairs of the piece's rows and later ones whose Jaccard distance is at most `eps`.

    least_cosine: keep the cosine of each pair too, and only pairs in which it is at least so much.
    """
    own = shelf.piece(piece)
    weights = _get(shelf, MEAN, piece)
    columns, local = np.unique(weights.indices, return_inverse=True)
    narrow = csr_array((weights.data, local.astype(np.int32), weights.indptr), shape=(len(own), len(columns)))
    found = [
        _pairs_with(shelf, other, piece, narrow, columns, eps) for other in range(piece, shelf.num_pieces)
    ]
    row, column, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    distance = np.maximum(distance, MIN_DISTANCE)
    cosine = np.empty(0, np.float32)
    if least_cosine is not None:
        cosine = _similarities(shelf, piece, row, column)
        near = cosine >= least_cosine
        row, column, distance, cosine = row[near], column[near], distance[near], cosine[near]
    order = np.lexsort((column, row))
    cosine = cosine[order] if least_cosine is not None else cosine
    row = (row[order] + own.start).astype(np.int32)
    shelf.put(PAIRS, piece, row=row, column=column[order], distance=distance[order], cosine=cosine)


def _pairs_with(
    shelf: Shelf, other: int, piece: int, narrow: csr_array, columns: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row in the piece, column among all rows, and distance, of pairs with the rows of the piece `other`.

    narrow: V of the piece in those `columns` alone that it has.
    """
    theirs, first = _get(shelf, MEAN, other), shelf.piece(other).start
    place = np.searchsorted(columns, theirs.indices)
    place[place == len(columns)] = 0
    shared = columns[place] == theirs.indices
    row = np.repeat(np.arange(theirs.shape[0]), np.diff(theirs.indptr))[shared]
    shape = (narrow.shape[1], theirs.shape[0])
    transposed = coo_array((theirs.data[shared], (place[shared], row)), shape=shape).tocsr()
    transposed.sort_indices()

    def work(start: int, stop: int) -> Rows:
        return overlapping_pairs(
            narrow, transposed, start, stop, above_diagonal=other == piece, max_distance=eps
        )

    parts = map_row_chunks(work, narrow.shape[0])
    counts, column, distance = (np.concatenate(part) for part in zip(*parts, strict=True))
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts), column + np.int32(first), distance


def _put(shelf: Shelf, name: str, piece: int, rows: csr_array) -> None:
    counts = np.diff(rows.indptr).astype(np.int32)
    shelf.put(name, piece, counts=counts, columns=rows.indices, values=rows.data)


def _get(shelf: Shelf, name: str, piece: int) -> csr_array:
    counts, columns, values = shelf.get(name, piece, "counts", "columns", "values")
    return stack([(counts, columns, values)], len(counts), shelf.num_rows)
