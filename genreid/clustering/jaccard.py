"""k-reciprocal Jaccard distance, sparse from the neighbours to the pairs that matter.

Source: Zhong, Zheng, Cao, Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR
2017, sections 3.2-3.4, as the clustering-based literature uses it since SpCL (Ge et al., NeurIPS 2020).

With R(i, k) the reciprocal neighbours among the first k columns of the neighbour table (column 0 is the
image itself), j ∈ R(i, k) ⇔ j in the first k of i and i in the first k of j:
    R*(i)  = R(i, k1) ∪ ⋃ {R(c, h) : c ∈ R(i, k1), |R(c, h) ∩ R(i, k1)| > ⅔·|R(c, h)|}
    v_ij   = exp(−d_ij) / Σ_{l ∈ R*(i)} exp(−d_il) for j ∈ R*(i), else 0
    V_i    = mean of v_j over the first k2 columns j of i            (local query expansion)
    J(i,j) = 1 − m / (2 − m),  m = Σ_c min(V_ic, V_jc)
Beyond these: where an image has R rows, itself and views of it, V of all N·R rows is folded onto images,
    W_ij = mean over rows r of i of Σ V_rs over rows s of j,
which takes V's place in J; k1 and k2 then count images, each of R columns.
d is the squared Euclidean distance of unit rows, 2 − 2·cos. Rows of V sum to 1, so only pairs that
share a column have J < 1: they are found over V's transpose, and nothing of size N×N ever exists.

The families differ in how many columns they call k1: SpCL searches k1 columns including the image
itself; Zhong et al. use k1 + 1. Both use h = round(k1 / 2) + 1, rounding halves to even.

Shapes: N images, k columns of the neighbour table, nnz stored weights.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import coo_array, csr_array

from genreid.clustering.neighbours import Neighbours
from genreid.clustering.similarity import pair_similarity, squared_distance
from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError

MIN_DISTANCE = np.float32(1e-12)
"""Distances of equal rows are lifted to this: sparse formats and their sums may drop explicit zeros."""

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Some rows of a sparse matrix: entries a row, their columns, their values."""


def jaccard_graph(
    features: np.ndarray, neighbours: Neighbours, *, k1: int, k2: int, eps: float, rows_per_image: int = 1
) -> csr_array:
    """All pairs of different images whose Jaccard distance is at most `eps`, as the SpCL family has it.

    features: (N·R, D) float32 unit rows, those that `neighbours` was found in; those of an image stand
        together. rows_per_image: R.
    neighbours: at least min(k1, N)·R columns.
    Returns (N, N) float32 CSR: symmetric, columns sorted, no diagonal, distances in [1e-12, eps].
    The comparison is made in float32, `distance <= float32(eps)`, as on a dense float32 matrix.
    """
    if not 0 < eps < 1:
        raise GenreidError(f"eps is {eps}: expected a Jaccard distance between 0 and 1; set `eps` to 0.4-0.6")
    columns = k1 * rows_per_image
    weights = reciprocal_weights(
        features, neighbours, num_columns=columns, num_half=half_columns(columns), k2=k2 * rows_per_image
    )
    if rows_per_image > 1:
        weights = _fold(weights, rows_per_image)
    transposed = weights.T.tocsr()
    num = weights.shape[0]

    def work(start: int, stop: int) -> Rows:
        return overlapping_pairs(weights, transposed, start, stop, above_diagonal=True, max_distance=eps)

    upper = stack(map_row_chunks(work, num), num).tocoo()
    row, column = upper.coords
    distance = np.maximum(upper.data, MIN_DISTANCE)
    both = (np.concatenate((row, column)), np.concatenate((column, row)))
    graph = coo_array((np.concatenate((distance, distance)), both), shape=(num, num)).tocsr()
    graph.sort_indices()
    return graph


def half_columns(k1: int) -> int:
    """Columns of the neighbour table that expansion looks at, for a k1 of either family."""
    return round(k1 / 2) + 1


def reciprocal_weights(
    features: np.ndarray,
    neighbours: Neighbours,
    *,
    num_columns: int,
    num_half: int,
    k2: int,
    max_distance: np.ndarray | None = None,
) -> csr_array:
    """V of the module's formula: (N, N) float32 CSR with sorted columns; every row sums to 1.

    num_columns, num_half: columns of the neighbour table, the image itself included, that reciprocity and
        expansion look at. All counts are limited to the table's width.
    max_distance: (N,) divides the distances of each row before exp (Zhong et al.'s normalisation).
    """
    if k2 < 1:
        raise GenreidError(f"k2 is {k2}: expected at least 1 (1 switches local query expansion off)")
    num, width = neighbours.index.shape
    if width < min(num_columns, num):
        raise GenreidError(f"{width} columns of neighbours: expected {num_columns}; search that many")
    full = _reciprocal_sets(neighbours.index, min(num_columns, width))
    half = _reciprocal_sets(neighbours.index, min(num_half, width))

    def expand(start: int, stop: int) -> Rows:
        return _expand_sets(neighbours.index, neighbours.similarity, *full, *half, start, stop)

    weights = stack(map_row_chunks(expand, num), num)
    _fill_unknown(weights, features)
    similarity_to_weight(weights, max_distance)
    if k2 > 1:
        nearest = np.ascontiguousarray(neighbours.index[:, :k2])
        csr = (weights.indptr, weights.indices, weights.data)
        weights = stack(
            map_row_chunks(lambda start, stop: mean_rows(*csr, nearest, num, start, stop), num), num
        )
    weights.sort_indices()
    return weights


def overlapping_pairs(
    weights: csr_array,
    transposed: csr_array,
    start: int,
    stop: int,
    *,
    first_column: int = 0,
    above_diagonal: bool = False,
    max_distance: float = 1.0,
) -> Rows:
    """Jaccard distances ≤ `max_distance` of rows start..stop to the images that share a column with them.

    weights, transposed: V and its transpose, both with sorted columns; the transpose may be that of other
        images' rows of V.
    first_column: the first image to compare with; above_diagonal: compare with later images only.
    Returns the number of pairs a row, their columns and distances; every pair not given is at distance 1
    or above `max_distance`.
    """
    return _overlaps(
        (weights.indptr, weights.indices, weights.data),
        (transposed.indptr, transposed.indices, transposed.data),
        transposed.shape[1],
        start,
        stop,
        first_column,
        above_diagonal,
        np.float32(max_distance),
    )


def _fold(weights: csr_array, rows_per_image: int) -> csr_array:
    """W of the module's formula, (N, N), from V of all rows."""
    num = weights.shape[0] // rows_per_image
    row, column = weights.tocoo().coords
    share = weights.data / np.float32(rows_per_image)
    # Entries of the same pair of images are added up.
    folded = coo_array((share, (row // rows_per_image, column // rows_per_image)), shape=(num, num)).tocsr()
    folded.sort_indices()
    return folded


def stack(parts: list[Rows], num: int, num_columns: int | None = None) -> csr_array:
    """(num, num_columns) of its rows in order; square where no other width is given."""
    counts, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    indptr = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))
    if indptr[-1] <= np.iinfo(np.int32).max:  # scipy would widen the columns to the pointers' type
        indptr = indptr.astype(np.int32)
    return csr_array((values, columns, indptr), shape=(num, num if num_columns is None else num_columns))


def _fill_unknown(weights: csr_array, features: np.ndarray) -> None:
    """Compute the similarities that the neighbour table did not have (NaN so far)."""
    unknown = np.flatnonzero(np.isnan(weights.data))
    left = np.searchsorted(weights.indptr, unknown, side="right") - 1
    weights.data[unknown] = pair_similarity(features, left, weights.indices[unknown])


def similarity_to_weight(weights: csr_array, max_distance: np.ndarray | None = None) -> None:
    """v of the module's formula from the similarities of R*, in place, row by row."""
    counts = np.diff(weights.indptr)
    distance = squared_distance(weights.data)
    if max_distance is not None:
        distance /= np.repeat(max_distance, counts)
    nearness = np.exp(-distance)
    # Every row holds the image itself, so no segment is empty.
    total = np.add.reduceat(nearness, weights.indptr[:-1], dtype=np.float64)
    weights.data = (nearness / np.repeat(total, counts)).astype(np.float32)


def _reciprocal_sets(index: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """R(i, width) of every image: members (N, width) int32, of which the first `count` (N,) are valid."""
    members = np.empty((len(index), width), np.int32)
    count = np.empty(len(index), np.int32)

    def work(start: int, stop: int) -> None:
        _reciprocal_rows(index, width, start, stop, members, count)

    map_row_chunks(work, len(index))
    return members, count


@njit(cache=True, nogil=True)
def _reciprocal_rows(
    index: np.ndarray, width: int, start: int, stop: int, members: np.ndarray, count: np.ndarray
) -> None:
    for i in range(start, stop):
        found = 0
        for p in range(width):
            j = index[i, p]
            for q in range(width):
                if index[j, q] == i:
                    members[i, found] = j
                    found += 1
                    break
        count[i] = found


@njit(cache=True, nogil=True)
def _expand_sets(
    index: np.ndarray,
    similarity: np.ndarray,
    full: np.ndarray,
    full_count: np.ndarray,
    half: np.ndarray,
    half_count: np.ndarray,
    start: int,
    stop: int,
) -> Rows:
    """R* of rows start..stop; its values are the table's similarities, NaN where the table has none."""
    num, width = index.shape
    room = 0
    for i in range(start, stop):
        room += full_count[i]
        for p in range(full_count[i]):
            room += half_count[full[i, p]]
    columns = np.empty(room, np.int32)
    values = np.empty(room, np.float32)
    counts = np.empty(stop - start, np.int32)
    # Marks hold the row that set them, so they need no clearing between rows.
    reciprocal = np.full(num, -1, np.int32)
    taken = np.full(num, -1, np.int32)
    end = 0
    for i in range(start, stop):
        first = end
        for p in range(full_count[i]):
            j = full[i, p]
            reciprocal[j] = i
            taken[j] = i
            columns[end] = j
            end += 1
        for p in range(full_count[i]):
            c = full[i, p]
            shared = 0
            for q in range(half_count[c]):
                shared += reciprocal[half[c, q]] == i
            if 3 * shared > 2 * half_count[c]:
                for q in range(half_count[c]):
                    j = half[c, q]
                    if taken[j] != i:
                        taken[j] = i
                        columns[end] = j
                        end += 1
        counts[i - start] = end - first
        for e in range(first, end):
            values[e] = np.nan
            for p in range(width):
                if index[i, p] == columns[e]:
                    values[e] = similarity[i, p]
                    break
    return counts, columns[:end].copy(), values[:end].copy()


@njit(cache=True, nogil=True)
def mean_rows(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    nearest: np.ndarray,
    num_columns: int,
    start: int,
    stop: int,
) -> Rows:
    """The mean of the sparse rows `nearest` (N, k2) names, for rows start..stop, summed in rank order."""
    k2 = nearest.shape[1]
    room = 0
    for i in range(start, stop):
        for p in range(k2):
            room += indptr[nearest[i, p] + 1] - indptr[nearest[i, p]]
    columns = np.empty(room, np.int32)
    values = np.empty(room, np.float32)
    counts = np.empty(stop - start, np.int32)
    total = np.zeros(num_columns, np.float32)
    taken = np.full(num_columns, -1, np.int32)
    end = 0
    for i in range(start, stop):
        first = end
        for p in range(k2):
            j = nearest[i, p]
            for e in range(indptr[j], indptr[j + 1]):
                c = indices[e]
                if taken[c] != i:
                    taken[c] = i
                    total[c] = 0
                    columns[end] = c
                    end += 1
                total[c] += data[e]
        for e in range(first, end):
            values[e] = total[columns[e]] / np.float32(k2)
        counts[i - start] = end - first
    return counts, columns[:end].copy(), values[:end].copy()


@njit(cache=True, nogil=True)
def _overlaps(
    weights: Rows,
    transposed: Rows,
    num: int,
    start: int,
    stop: int,
    first_column: int,
    above_diagonal: bool,
    max_distance: np.float32,
) -> Rows:
    """Min-sums of rows start..stop, added in the order of the columns: m(i, j) = m(j, i) to the last bit."""
    indptr, indices, data = weights
    t_indptr, t_indices, t_data = transposed
    columns = np.empty(1024, np.int32)
    values = np.empty(1024, np.float32)
    counts = np.empty(stop - start, np.int32)
    shared = np.zeros(num, np.float32)
    touched = np.empty(num + 1, np.int32)
    one = np.float32(1)
    two = np.float32(2)
    end = 0
    for i in range(start, stop):
        lowest = max(first_column, i + 1) if above_diagonal else first_column
        num_touched = 0
        for e in range(indptr[i], indptr[i + 1]):
            c = indices[e]
            weight = data[e]
            begin = t_indptr[c] + np.searchsorted(t_indices[t_indptr[c] : t_indptr[c + 1]], lowest)
            for t in range(begin, t_indptr[c + 1]):
                j = t_indices[t]
                before = shared[j]
                # Written always, counted when new: a branch here would be guessed wrong too often.
                touched[num_touched] = j
                num_touched += before == 0
                shared[j] = before + min(weight, t_data[t])
        if end + num_touched > columns.shape[0]:
            columns = np.concatenate((columns[:end], np.empty(end + 2 * num_touched, np.int32)))
            values = np.concatenate((values[:end], np.empty(end + 2 * num_touched, np.float32)))
        first = end
        for t in range(num_touched):
            j = touched[t]
            distance = one - shared[j] / (two - shared[j])
            shared[j] = 0
            if distance <= max_distance:
                columns[end] = j
                values[end] = max(distance, np.float32(0))
                end += 1
        counts[i - start] = end - first
    return counts, columns[:end].copy(), values[:end].copy()
