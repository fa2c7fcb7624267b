"""The k best of every row of a product x·xᵀ of int8 rows, from blocks of its upper triangle.

A block serves its rows and, being symmetric, its columns; the whole matrix never exists. The best so far of a
row are a heap whose root is the least of them, so that nearly every entry is dismissed by one comparison, and
the comparisons of 64 entries are made together. Order is total, by falling value and then by lower index: the
answer depends neither on the size of the blocks nor on the number of threads.

Shapes: N rows of x, k places a heap, R×C a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numba import njit

from genreid.clustering.threads import map_row_chunks

BLOCK_ROWS = 2048
"""Rows and columns of one block: 16 MB."""

GROUP = 64
"""Entries that are dismissed together."""


class BestOfRows:
    """The k best columns of each of N rows, as far as they have been offered: the largest, or the `smallest`.

    The images that a row is offered must come in rising order, as `upper_blocks` has them.
    """

    def __init__(self, num: int, k: int, *, smallest: bool = False) -> None:
        self._flip = np.int32(-1 if smallest else 0)  # all bits turned, integers come in the opposite order
        self._keys = np.full((num, k), np.iinfo(np.int32).min, np.int32)
        self._index = np.full((num, k), num, np.int32)

    @property
    def index(self) -> np.ndarray:
        """(N, k) int32, the least of each row's best last, the others in no order; N stands for nothing."""
        return self._index[:, ::-1]

    @property
    def limits(self) -> np.ndarray:
        """(N,) int32: the least of each row's best; an end of int32 while there are too few."""
        limits: np.ndarray = self._keys[:, 0] ^ self._flip
        return limits

    def offer(self, block: torch.Tensor, row: int, column: int) -> None:
        """Offer `block` (R, C), corner at (row, column), to its rows and, off the diagonal, its columns."""
        entries = block.numpy()

        def columns(start: int, stop: int) -> None:
            _offer_columns(entries, row, column, self._flip, self._keys, self._index, start, stop)

        self.offer_rows(block, row, column)
        if column > row:
            map_row_chunks(columns, block.shape[1])

    def offer_rows(self, block: torch.Tensor, row: int, column: int) -> None:
        """Offer `block` (R, C) to its rows alone; its columns are named from `column` on, any number."""
        entries = block.numpy()

        def rows(start: int, stop: int) -> None:
            _offer_rows(entries, row, column, self._flip, self._keys, self._index, start, stop)

        map_row_chunks(rows, block.shape[0])


def upper_blocks(x: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Row and column of the corner, and the block, for every block of the upper triangle of x·xᵀ.

    x: (N, D) int8; blocks are int32. A block is overwritten by the next one.
    """
    held = torch.empty(min(BLOCK_ROWS, len(x)) ** 2, dtype=torch.int32)
    for row in range(0, len(x), BLOCK_ROWS):
        for column in range(row, len(x), BLOCK_ROWS):
            left, right = x[row : row + BLOCK_ROWS], x[column : column + BLOCK_ROWS]
            block = held[: len(left) * len(right)].view(len(left), len(right))
            _multiply(left, right, block)
            yield row, column, block


def all_blocks(left: torch.Tensor, right: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
    """The same for every block of left·rightᵀ, int8 (M, D) and (N, D), a row's columns in rising order."""
    held = torch.empty(min(BLOCK_ROWS, len(left)) * min(BLOCK_ROWS, len(right)), dtype=torch.int32)
    for row in range(0, len(left), BLOCK_ROWS):
        for column in range(0, len(right), BLOCK_ROWS):
            rows, columns = left[row : row + BLOCK_ROWS], right[column : column + BLOCK_ROWS]
            block = held[: len(rows) * len(columns)].view(len(rows), len(columns))
            _multiply(rows, columns, block)
            yield row, column, block


def _multiply(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> None:
    def work(start: int, stop: int) -> None:
        torch._int_mm(left[start:stop], right.T, out=out[start:stop])

    map_row_chunks(work, len(left), chunks_per_thread=1)


@njit(cache=True, nogil=True)
def _offer_rows(
    block: np.ndarray,
    row: int,
    column: int,
    flip: np.int32,
    keys: np.ndarray,
    index: np.ndarray,
    start: int,
    stop: int,
) -> None:
    num_columns = block.shape[1]
    for r in range(start, stop):
        best, place = keys[row + r], index[row + r]
        for begin in range(0, num_columns, GROUP):
            group = block[r, begin : min(begin + GROUP, num_columns)]
            if not _any_above(group, flip, best[0]):
                continue
            for c in range(group.shape[0]):
                key = group[c] ^ flip
                if key > best[0]:
                    _push(best, place, key, column + begin + c)


@njit(cache=True, nogil=True)
def _offer_columns(
    block: np.ndarray,
    row: int,
    column: int,
    flip: np.int32,
    keys: np.ndarray,
    index: np.ndarray,
    start: int,
    stop: int,
) -> None:
    limits = keys[column + start : column + stop, 0].copy()
    for r in range(block.shape[0]):
        for begin in range(start, stop, GROUP):
            group = block[r, begin : min(begin + GROUP, stop)]
            own = limits[begin - start : begin - start + group.shape[0]]
            if not _any_above_own(group, flip, own):
                continue
            for c in range(group.shape[0]):
                key = group[c] ^ flip
                if key > own[c]:
                    image = column + begin + c
                    _push(keys[image], index[image], key, row + r)
                    own[c] = keys[image, 0]


@njit(cache=True, nogil=True)
def _any_above(group: np.ndarray, flip: np.int32, limit: int) -> bool:
    # A count has no branch: the loop vectorises.
    count = np.int32(0)
    for c in range(group.shape[0]):
        count = np.int32(count + np.int32((group[c] ^ flip) > limit))
    return bool(count > 0)


@njit(cache=True, nogil=True)
def _any_above_own(group: np.ndarray, flip: np.int32, limits: np.ndarray) -> bool:
    """Whether any entry exceeds the limit at its own place."""
    count = np.int32(0)
    for c in range(group.shape[0]):
        count = np.int32(count + np.int32((group[c] ^ flip) > limits[c]))
    return bool(count > 0)


@njit(cache=True, nogil=True)
def _push(keys: np.ndarray, index: np.ndarray, key: int, image: int) -> None:
    """Put (key, image) in the place of the heap's root, which is less.

    Of equal keys the later image is the less: it came later, and goes first.
    """
    num, hole = keys.shape[0], 0
    while True:
        child = 2 * hole + 1
        if child >= num:
            break
        other = child + 1
        if other < num and (
            keys[other] < keys[child] or (keys[other] == keys[child] and index[other] > index[child])
        ):
            child = other
        if keys[child] > key or (keys[child] == key and index[child] < image):
            break
        keys[hole], index[hole] = keys[child], index[child]
        hole = child
    keys[hole], index[hole] = key, image
