"""The k best of every row of a product x·xᵀ, from blocks of its upper triangle, on a CPU.

A block serves its rows and, being symmetric, its columns; the whole matrix never exists. The best so far of a
row are a heap whose root is the least of them, so that nearly every entry is dismissed by one comparison, and
the comparisons of 64 entries are made together. Order is total, by falling value and then by lower index: the
answer depends neither on the order of the blocks nor on the number of threads.

Shapes: N rows of x, k places a heap, R×C a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numba import njit

from genreid.clustering.threads import map_row_chunks

BLOCK_ROWS = 2048
"""Rows and columns of one block (16 MB)."""

GROUP = 64
"""Entries that are dismissed together."""


class BestOfRows:
    """The k best columns of each of N rows, as far as they have been offered.

    values (N, k) float32 and index (N, k) int32 are heaps: column 0 is the least of each row's best, −inf as
    long as fewer than k were offered.
    """

    def __init__(self, num: int, k: int) -> None:
        self.values = np.full((num, k), -np.inf, np.float32)
        self.index = np.full((num, k), num, np.int32)

    @property
    def falling(self) -> np.ndarray:
        """The index with the least of each row's best last; the others in no order."""
        return self.index[:, ::-1]

    def offer(self, block: np.ndarray, row: int, column: int) -> None:
        """Offer `block` (R, C), corner at (row, column), to its rows and, off the diagonal, its columns."""

        def rows(start: int, stop: int) -> None:
            _offer_rows(block, row, column, self.values, self.index, start, stop)

        def columns(start: int, stop: int) -> None:
            _offer_columns(block, row, column, self.values, self.index, start, stop)

        map_row_chunks(rows, block.shape[0])
        if column > row:
            map_row_chunks(columns, block.shape[1])

    def offer_pairs(self, left: np.ndarray, right: np.ndarray, value: np.ndarray) -> None:
        """M pairs of images, each to both; none may come twice."""
        _offer_pairs(left, right, value, self.values, self.index)


def upper_blocks(x: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Row and column of the corner, and the block, for every block of the upper triangle of x·xᵀ.

    A block is float32, whatever the rows are, and is overwritten by the next one.
    """
    size = min(BLOCK_ROWS, len(x)) ** 2
    held = x.new_empty(size)
    widened = held if x.dtype == torch.float32 else torch.empty(size)
    for row in range(0, len(x), BLOCK_ROWS):
        for column in range(row, len(x), BLOCK_ROWS):
            left, right = x[row : row + BLOCK_ROWS], x[column : column + BLOCK_ROWS]
            shape = (len(left), len(right))
            product = torch.mm(left, right.T, out=held[: shape[0] * shape[1]].view(shape))
            block = widened[: product.numel()].view(shape)
            yield row, column, block if widened is held else block.copy_(product)


@njit(cache=True, nogil=True)
def _offer_rows(
    block: np.ndarray, row: int, column: int, values: np.ndarray, index: np.ndarray, start: int, stop: int
) -> None:
    num_columns = block.shape[1]
    for r in range(start, stop):
        best, place = values[row + r], index[row + r]
        for begin in range(0, num_columns, GROUP):
            group = block[r, begin : min(begin + GROUP, num_columns)]
            if not _any_reaches(group, best[0]):
                continue
            for c in range(group.shape[0]):
                if group[c] >= best[0]:
                    _push(best, place, group[c], column + begin + c)


@njit(cache=True, nogil=True)
def _offer_columns(
    block: np.ndarray, row: int, column: int, values: np.ndarray, index: np.ndarray, start: int, stop: int
) -> None:
    limits = values[column + start : column + stop, 0].copy()
    for r in range(block.shape[0]):
        for begin in range(start, stop, GROUP):
            group = block[r, begin : min(begin + GROUP, stop)]
            own = limits[begin - start : begin - start + group.shape[0]]
            if not _any_reaches_own(group, own):
                continue
            for c in range(group.shape[0]):
                if group[c] >= own[c]:
                    image = column + begin + c
                    _push(values[image], index[image], group[c], row + r)
                    own[c] = values[image, 0]


@njit(cache=True, nogil=True)
def _offer_pairs(
    left: np.ndarray, right: np.ndarray, value: np.ndarray, values: np.ndarray, index: np.ndarray
) -> None:
    for m in range(left.shape[0]):
        i, j = left[m], right[m]
        if value[m] >= values[i, 0]:
            _push(values[i], index[i], value[m], j)
        if i != j and value[m] >= values[j, 0]:
            _push(values[j], index[j], value[m], i)


@njit(cache=True, nogil=True)
def _any_reaches(group: np.ndarray, limit: np.float32) -> bool:
    # A count in int32 has no branch and is as wide as the values: the loop vectorises.
    count = np.int32(0)
    for c in range(group.shape[0]):
        count = np.int32(count + np.int32(group[c] >= limit))
    return bool(count > 0)


@njit(cache=True, nogil=True)
def _any_reaches_own(group: np.ndarray, limits: np.ndarray) -> bool:
    """Whether any value reaches the limit at its own place."""
    count = np.int32(0)
    for c in range(group.shape[0]):
        count = np.int32(count + np.int32(group[c] >= limits[c]))
    return bool(count > 0)


@njit(cache=True, nogil=True)
def _push(values: np.ndarray, index: np.ndarray, value: np.float32, image: int) -> None:
    """Put (value, image) in the place of the heap's root, the least, if it comes before it."""
    if value < values[0] or (value == values[0] and image > index[0]):
        return
    num, hole = values.shape[0], 0
    while True:
        child = 2 * hole + 1
        if child >= num:
            break
        other = child + 1
        if other < num and (
            values[other] < values[child] or (values[other] == values[child] and index[other] > index[child])
        ):
            child = other
        if values[child] > value or (values[child] == value and index[child] < image):
            break
        values[hole], index[hole] = values[child], index[child]
        hole = child
    values[hole], index[hole] = value, image
