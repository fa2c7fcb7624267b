"""The k best of every row of a product x·xᵀ, from blocks of its upper triangle, on a CPU.

A block serves its rows and, being symmetric, its columns; the whole matrix never exists. The best so far of a
row are a heap whose root is the least of them, so that nearly every entry is dismissed by one comparison, and
the comparisons of 64 entries are made together, as integers that are as wide as the product's own numbers.
Order is total, by falling value and then by lower index: the answer depends neither on the size of the blocks
nor on the number of threads.

Shapes: N rows of x, k places a heap, R×C a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numba import njit

from genreid.clustering.threads import map_row_chunks

BLOCK_ROWS = 2048
"""Rows and columns of one block (16 MB of int32, which is what int8 is added up in)."""

GROUP = 64
"""Entries that are dismissed together."""

Turn = tuple[int, int]
"""How the bits of a float become a key (`_key`)."""

_PRODUCTS = {torch.int8: torch.int32}
"""Dtype of a product, where it is not that of its factors."""

_INTEGERS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.int8: torch.int32}
"""As what a product of factors of that dtype is compared."""


class BestOfRows:
    """The k best columns of each of N rows, as far as they have been offered: the largest, or the `smallest`.

    The images that a row is offered must come in rising order, as `upper_blocks` has them.
    dtype: of what is multiplied: float32, bfloat16 or int8. unit: what its products are multiplied by.
    """

    def __init__(
        self, num: int, k: int, dtype: torch.dtype, *, smallest: bool = False, unit: float = 1.0
    ) -> None:
        self._integer, self._floating, self._unit = _INTEGERS[dtype], dtype.is_floating_point, unit
        ends = torch.iinfo(self._integer)
        kind = np.dtype(ends.dtype)
        self._turn: Turn = (kind.type(ends.max if self._floating else 0), kind.type(-1 if smallest else 0))
        nothing = ends.min
        if self._floating:
            nothing = int(torch.tensor(-torch.inf, dtype=dtype).view(self._integer)) ^ ends.max
        self._keys = np.full((num, k), nothing, kind)
        self._index = np.full((num, k), num, np.int32)

    @property
    def index(self) -> np.ndarray:
        """(N, k) int32, the least of each row's best last, the others in no order; N stands for nothing."""
        return self._index[:, ::-1]

    @property
    def limits(self) -> np.ndarray:
        """(N,) float32: the least of each row's best, in units; while there are too few −inf, or (of int8)
        far below every product, or above of the smallest.
        """
        magnitude, flip = self._turn
        entries = self._keys[:, 0] ^ flip
        if not self._floating:
            return entries * np.float32(self._unit)
        entries = np.where(entries < 0, entries ^ magnitude, entries)
        if entries.dtype == np.int16:
            entries = entries.astype(np.int32) << 16
        return entries.view(np.float32) * np.float32(self._unit)

    def offer(self, block: torch.Tensor, row: int, column: int) -> None:
        """Offer `block` (R, C), corner at (row, column), to its rows and, off the diagonal, its columns."""
        entries = block.view(self._integer).numpy()

        def rows(start: int, stop: int) -> None:
            _offer_rows(entries, row, column, self._turn, self._keys, self._index, start, stop)

        def columns(start: int, stop: int) -> None:
            _offer_columns(entries, row, column, self._turn, self._keys, self._index, start, stop)

        map_row_chunks(rows, block.shape[0])
        if column > row:
            map_row_chunks(columns, block.shape[1])

    def offer_pairs(self, left: np.ndarray, right: np.ndarray, value: np.ndarray) -> None:
        """M pairs of images and their values (float32), each to both; none may come twice."""
        _offer_pairs(left, right, value.view(np.int32), self._turn, self._keys, self._index)


def upper_blocks(x: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Row and column of the corner, and the block, for every block of the upper triangle of x·xᵀ.

    x: float32, bfloat16, or int8, whose products are int32. A block is overwritten by the next one.
    """
    held = x.new_empty(min(BLOCK_ROWS, len(x)) ** 2, dtype=_PRODUCTS.get(x.dtype, x.dtype))
    for row in range(0, len(x), BLOCK_ROWS):
        for column in range(row, len(x), BLOCK_ROWS):
            left, right = x[row : row + BLOCK_ROWS], x[column : column + BLOCK_ROWS]
            block = held[: len(left) * len(right)].view(len(left), len(right))
            _multiply(left, right, block)
            yield row, column, block


def _multiply(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> None:
    def work(start: int, stop: int) -> None:
        product_of(left[start:stop], right, out=out[start:stop])

    map_row_chunks(work, len(left), chunks_per_thread=1)


def product_of(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """left·rightᵀ of rows (R, D) and (C, D), (R, C), in `out` where that is given."""
    multiply = torch._int_mm if left.dtype == torch.int8 else torch.mm
    product: torch.Tensor = multiply(left, right.T) if out is None else multiply(left, right.T, out=out)
    return product


@njit(cache=True, nogil=True)
def _offer_rows(
    block: np.ndarray,
    row: int,
    column: int,
    turn: Turn,
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
            if not _any_above(group, turn, best[0]):
                continue
            for c in range(group.shape[0]):
                key = _key(group[c], turn)
                if key > best[0]:
                    _push(best, place, key, column + begin + c)


@njit(cache=True, nogil=True)
def _offer_columns(
    block: np.ndarray,
    row: int,
    column: int,
    turn: Turn,
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
            if not _any_above_own(group, turn, own):
                continue
            for c in range(group.shape[0]):
                key = _key(group[c], turn)
                if key > own[c]:
                    image = column + begin + c
                    _push(keys[image], index[image], key, row + r)
                    own[c] = keys[image, 0]


@njit(cache=True, nogil=True)
def _offer_pairs(
    left: np.ndarray, right: np.ndarray, entry: np.ndarray, turn: Turn, keys: np.ndarray, index: np.ndarray
) -> None:
    for m in range(left.shape[0]):
        i, j, key = left[m], right[m], _key(entry[m], turn)
        if key > keys[i, 0]:
            _push(keys[i], index[i], key, j)
        if i != j and key > keys[j, 0]:
            _push(keys[j], index[j], key, i)


@njit(cache=True, nogil=True)
def _key(entry: int, turn: Turn) -> int:
    """The bits of a float as an integer that compares as the float does, or the other way round.

    Of a negative float all bits but the sign's are turned. turn: the integer of those bits, and what all bits
    are turned by besides, 0 or −1.
    """
    magnitude, flip = turn
    return (entry ^ magnitude if entry < 0 else entry) ^ flip


@njit(cache=True, nogil=True)
def _any_above(group: np.ndarray, turn: Turn, limit: int) -> bool:
    # A count in int16 has no branch and is as narrow as the keys: the loop vectorises.
    count = np.int16(0)
    for c in range(group.shape[0]):
        count = np.int16(count + np.int16(_key(group[c], turn) > limit))
    return bool(count > 0)


@njit(cache=True, nogil=True)
def _any_above_own(group: np.ndarray, turn: Turn, limits: np.ndarray) -> bool:
    """Whether any entry exceeds the limit at its own place."""
    count = np.int16(0)
    for c in range(group.shape[0]):
        count = np.int16(count + np.int16(_key(group[c], turn) > limits[c]))
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
