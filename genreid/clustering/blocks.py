"""The k best of every row of a product x·xᵀ of int8 rows, from blocks of its upper triangle.

A block serves its rows and, being symmetric, its columns; the whole matrix never exists. A row collects
what exceeds its limit, which nearly every entry does not, in a list with room for some more than k; the
comparisons of 64 entries are made together. When the list is full, the k best of it stay, and the least of
them is the new limit. So an entry costs a few nanoseconds however large k is, where in a heap it would go
through log₂ k places. Order is total, by falling value and then by lower index: the answer depends neither on
the size of the blocks nor on the number of threads.

Shapes: N rows of x, k entries that are kept of a row, R×C a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numba import njit

from genreid.clustering.int8_products import int8_factor
from genreid.clustering.threads import map_row_chunks

BLOCK_ROWS = 2048
"""Rows and columns of one block: 16 MB."""

GROUP = 64
"""Entries that are dismissed together."""

_LOWER = np.int64(0xFFFFFFFF)
"""The half of an entry that says which image it is: the last one that int32 can name, less it."""

_LAST = np.int64(0x7FFFFFFF)


class BestOfRows:
    """The k best columns of each of N rows, as far as they have been offered: the largest, or the `smallest`.

    The images that a row is offered must come in rising order, as `upper_blocks` has them.

    limits: (N,) int32; what does not exceed a row's limit is left out, so that it may come to be `short`.
    """

    def __init__(self, num: int, k: int, *, smallest: bool = False, limits: np.ndarray | None = None) -> None:
        self._flip = np.int32(-1 if smallest else 0)  # all bits turned, integers come in the opposite order
        self._k = k
        self._held = np.empty((num, _full(k) + GROUP), np.int64)
        self._size = np.zeros(num, np.int64)
        lowest = np.full(num, np.iinfo(np.int32).min, np.int32)
        self._limit = lowest if limits is None else limits ^ self._flip

    @property
    def index(self) -> np.ndarray:
        """(N, k) int32, the least of each row's best last, the others in no order; N stands for nothing."""
        self._settle()
        index = np.empty((len(self._held), self._k), np.int32)

        def read(start: int, stop: int) -> None:
            _read_images(self._held[start:stop], self._size[start:stop], index[start:stop], len(index))

        map_row_chunks(read, len(index))
        return index

    @property
    def limits(self) -> np.ndarray:
        """(N,) int32: the least of each row's best; while there are too few the limit that it began with, or
        else an end of int32."""
        self._settle()
        limits: np.ndarray = self._limit ^ self._flip
        return limits

    @property
    def short(self) -> np.ndarray:
        """(M,) the rows that have had fewer than k entries above their limits."""
        return np.flatnonzero(self._size < self._k)

    def replace(self, rows: np.ndarray, found: BestOfRows) -> None:
        """Put what was `found` of these rows (M,), as many as k each, in the place of what they have here."""
        self._held[rows], self._size[rows], self._limit[rows] = found._held, found._size, found._limit

    def offer(self, block: torch.Tensor, row: int, column: int) -> None:
        """Offer `block` (R, C), corner at (row, column), to its rows and, off the diagonal, its columns."""
        self.offer_rows(block, row, column)
        if column > row:
            images = slice(column, column + block.shape[1])
            lists = self._held[images], self._size[images], self._limit[images]
            entries = block.numpy()

            def columns(start: int, stop: int) -> None:
                _offer_columns(entries, row, self._flip, self._k, *lists, start, stop)

            map_row_chunks(columns, block.shape[1])

    def offer_rows(self, block: torch.Tensor, row: int, column: int) -> None:
        """Offer `block` (R, C) to its rows alone; its columns are named from `column` on, any number."""
        images = slice(row, row + block.shape[0])
        lists = self._held[images], self._size[images], self._limit[images]
        entries = block.numpy()

        def rows(start: int, stop: int) -> None:
            _offer_rows(entries, column, self._flip, self._k, *lists, start, stop)

        map_row_chunks(rows, block.shape[0])

    def _settle(self) -> None:
        """Leave in every list that has k entries or more the k best alone."""

        def settle(start: int, stop: int) -> None:
            _settle_rows(self._k, self._held[start:stop], self._size[start:stop], self._limit[start:stop])

        if self._k:
            map_row_chunks(settle, len(self._held))


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
    factor = int8_factor(right)

    def work(start: int, stop: int) -> None:
        factor.multiply(left[start:stop], out[start:stop])

    map_row_chunks(work, len(left), chunks_per_thread=1)


@njit(cache=True, nogil=True)
def _offer_rows(
    block: np.ndarray,
    column: int,
    flip: np.int32,
    k: int,
    held: np.ndarray,
    size: np.ndarray,
    limit: np.ndarray,
    start: int,
    stop: int,
) -> None:
    num_columns, full = block.shape[1], _full(k)
    for r in range(start, stop):
        entries, num, least = held[r], size[r], limit[r]
        for begin in range(0, num_columns, GROUP):
            group = block[r, begin : min(begin + GROUP, num_columns)]
            if not _any_above(group, flip, least):
                continue
            if num >= full:
                least = _keep_best(entries[:num], k)
                num = k
            # Every entry is written, and the next one over it unless it counts: no branch to be guessed.
            for c in range(group.shape[0]):
                key = group[c] ^ flip
                entries[num] = _entry(key, column + begin + c)
                num += int(key > least)
        size[r], limit[r] = num, least


@njit(cache=True, nogil=True)
def _offer_columns(
    block: np.ndarray,
    row: int,
    flip: np.int32,
    k: int,
    held: np.ndarray,
    size: np.ndarray,
    limit: np.ndarray,
    start: int,
    stop: int,
) -> None:
    full = _full(k)
    for r in range(block.shape[0]):
        for begin in range(start, stop, GROUP):
            end = min(begin + GROUP, stop)
            group = block[r, begin:end]
            if not _any_above_own(group, flip, limit[begin:end]):
                continue
            for c in range(begin, end):
                key = block[r, c] ^ flip
                if key > limit[c]:
                    held[c, size[c]] = _entry(key, row + r)
                    size[c] += 1
                    if size[c] >= full:
                        limit[c] = _keep_best(held[c, : size[c]], k)
                        size[c] = k


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
def _full(k: int) -> int:
    """Entries of a list at which all but the k best of it leave."""
    return k + k // 4 + 8


@njit(cache=True, nogil=True)
def _entry(key: int, image: int) -> np.int64:
    """One number that is the larger the larger the key, and of equal keys the lower the image."""
    return (np.int64(key) << 32) | (_LAST - np.int64(image))


@njit(cache=True, nogil=True)
def _settle_rows(k: int, held: np.ndarray, size: np.ndarray, limit: np.ndarray) -> None:
    for i in range(held.shape[0]):
        if size[i] >= k:
            limit[i] = _keep_best(held[i, : size[i]], k)
            size[i] = k


@njit(cache=True, nogil=True)
def _read_images(held: np.ndarray, size: np.ndarray, index: np.ndarray, nothing: int) -> None:
    for i in range(index.shape[0]):
        for place in range(index.shape[1]):
            known = place < size[i]
            index[i, place] = _LAST - (held[i, place] & _LOWER) if known else nothing


@njit(cache=True, nogil=True)
def _keep_best(entries: np.ndarray, k: int) -> np.int32:
    """Move the k largest of M entries, all different, to the front, the least of them last; its key.

    Quickselect (Hoare 1961): of the stretch that holds the k-th largest, what exceeds a pivot goes to the
    front of it, and the stretch becomes the part in which the k-th then is.
    """
    low, high = 0, entries.shape[0]
    while True:
        pivot = _median(entries[low], entries[(low + high) // 2], entries[high - 1])
        middle = low
        for i in range(low, high):  # without a branch, as above
            entry = entries[i]
            entries[i], entries[middle] = entries[middle], entry
            middle += int(entry > pivot)
        if middle >= k:
            high = middle
            continue
        place = middle
        while entries[place] != pivot:
            place += 1
        entries[place], entries[middle] = entries[middle], pivot
        if middle == k - 1:
            return np.int32(pivot >> 32)
        low = middle + 1


@njit(cache=True, nogil=True)
def _median(a: int, b: int, c: int) -> int:
    return max(min(a, b), min(max(a, b), c))
