"""The neighbours of a piece's rows among all rows: what `genreid.clustering.neighbours` finds on one machine.

A piece's rows stay in memory, and all rows pass by a block at a time, twice: to propose candidates, and to
compute these candidates' true similarities; rows that are undecided after that see all blocks once more.

Shapes: N rows in all, R of the piece, D embedding width, k neighbours, c candidates, B rows of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from genreid.clustering.blocks import BestOfRows, all_blocks, upper_blocks
from genreid.clustering.candidates import MAX_PAIRS, NUM_SPARE, Candidates
from genreid.clustering.dithered import round_rows, unit_and_error, usual_step, wide_enough
from genreid.clustering.faiss_search import largest_products
from genreid.clustering.first_limits import first_limits, sample_rows
from genreid.clustering.int8_products import int8_is_quick
from genreid.clustering.int8_search import num_kept
from genreid.clustering.neighbours import candidates_in_order, with_own_image
from genreid.clustering.sharded.shelf import Shelf
from genreid.clustering.similarity import full_precision, pair_similarity, product_error
from genreid.clustering.threads import map_row_chunks

NEIGHBOURS = "neighbours"
"""Kept of each piece: index (R, k) int32, similarity (R, k) float32."""


@dataclass(frozen=True)
class Rounding:
    """How the rows of all pieces are rounded: see `genreid.clustering.dithered`."""

    step: float
    unit: float
    error: float

    @classmethod
    def of(cls, highest: np.ndarray, step: float, num: int, width: int) -> Rounding | None:
        """That of N rows of which `highest` is what `look_over` said; None where the step is too short."""
        if wide_enough(np.float64(step), highest) > step:
            return None
        return cls(step, *unit_and_error(np.float64(step), highest, num, width))


def first_step(shelf: Shelf) -> float:
    """The step that nearly all rows fit with."""
    return float(usual_step(shelf.width))


def longer_step(step: float, highest: np.ndarray) -> float:
    """One that fits."""
    return float(wide_enough(np.float64(step), highest))


def look_over(shelf: Shelf, piece: int, step: float) -> np.ndarray:
    """(3,) what `genreid.clustering.dithered.round_rows` tells of a piece's rows."""
    held = np.empty((shelf.block_rows, shelf.width), np.float32)
    own = shelf.piece(piece)
    blocks = shelf.rows_in(shelf.blocks(own.start, own.stop), held)
    found = [round_rows(rows, np.float64(step))[1] for _, rows in blocks]
    highest: np.ndarray = np.max(found, axis=0)
    return highest


def find_neighbours(shelf: Shelf, piece: int, k: int, rounding: Rounding) -> None:
    """Keep the k nearest rows of each of the piece's rows; see `genreid.clustering.neighbours.Neighbours`."""
    table = Table(shelf, piece)
    k = min(k, shelf.num_rows)
    num = min(k + NUM_SPARE, shelf.num_rows)
    if int8_is_quick():
        candidates = _propose_int8(table, num_kept(num, rounding.error, shelf.num_rows), rounding)
    else:
        candidates = _propose_faiss(table, num)
    index, similarity, decided = _refine(table, candidates, k)
    _search_again(table, np.flatnonzero(~decided), index, similarity)
    shelf.put(NEIGHBOURS, piece, index=index, similarity=similarity)


class Table:
    """A piece's rows and, below them, one block: (R + B, D)."""

    def __init__(self, shelf: Shelf, piece: int) -> None:
        self.shelf, self.own = shelf, shelf.piece(piece)
        self.num = len(self.own)
        self.rows = np.empty((self.num + shelf.block_rows, shelf.width), np.float32)
        for _ in shelf.rows_in([self.own], self.rows):
            pass

    @property
    def own_rows(self) -> np.ndarray:
        return self.rows[: self.num]

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[range, np.ndarray]]:
        """Blocks of rows start..stop, all by default, each in the place of the one before it."""
        blocks = self.shelf.blocks(start, self.shelf.num_rows if stop is None else stop)
        return self.shelf.rows_in(blocks, self.rows[self.num :])

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(M,) of the piece's rows `left` and the rows `right` of the block that is read, counted from it."""
        return pair_similarity(self.rows, left, self.num + right)


def _propose_int8(table: Table, num_candidates: int, rounding: Rounding) -> Candidates:
    """As `genreid.clustering.int8_search.search_int8`; pairs within the piece are multiplied once."""
    own, step = table.own, np.float64(rounding.step)
    rounded, _ = round_rows(table.own_rows, step)
    limits = None
    sampled = sample_rows(table.shelf.num_rows, rounded.shape[1], num_candidates)
    if sampled is not None:
        limits = first_limits(rounded, round_rows(table.shelf.rows_at(sampled), step)[0])
    best = BestOfRows(table.num, num_candidates, limits=limits)

    def offer(to: BestOfRows, left: torch.Tensor, start: int, stop: int) -> None:
        for block, rows in table.blocks(start, stop):
            for row, column, product in all_blocks(left, round_rows(rows, step)[0]):
                # columns are counted from the piece's first row
                to.offer_rows(product, row, block.start - own.start + column)

    offer(best, rounded, 0, own.start)
    for row, column, product in upper_blocks(rounded):
        best.offer(product, row, column)
    offer(best, rounded, own.stop, table.shelf.num_rows)
    if len(short := best.short):
        found = BestOfRows(len(short), num_candidates)
        offer(found, rounded[short], 0, table.shelf.num_rows)
        best.replace(short, found)
    index = best.index
    index += np.int32(own.start)
    return Candidates(index, best.limits * np.float32(rounding.unit), rounding.error, None)


def _propose_faiss(table: Table, num_candidates: int) -> Candidates:
    similarity: np.ndarray = np.full((table.num, num_candidates), -np.inf, np.float32)
    index: np.ndarray = np.zeros((table.num, num_candidates), np.int32)
    for block, rows in table.blocks():
        values, places = largest_products(table.own_rows, rows, min(num_candidates, len(rows)))
        similarity = np.concatenate([similarity, values], 1)
        index = np.concatenate([index, (places + block.start).astype(np.int32)], 1)
        best = np.argsort(-similarity, axis=1, kind="stable")[:, :num_candidates]
        similarity, index = (np.take_along_axis(one, best, 1) for one in (similarity, index))
    return Candidates(index, similarity[:, -1], product_error(table.shelf.width), None)


def _refine(table: Table, candidates: Candidates, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As in `genreid.clustering.neighbours`: index (R, k), similarity (R, k), decided (R,)."""
    num, width = candidates.index.shape
    chosen = candidates.index
    own = np.arange(table.own.start, table.own.stop)
    index, similarity = np.empty((num, k), np.int32), np.empty((num, k), np.float32)

    def sort(start: int, stop: int) -> None:
        with_own_image(chosen[start:stop], own[start:stop])
        chosen[start:stop].sort(axis=1)

    def order(start: int, stop: int) -> None:
        rows = slice(start, stop)
        index[rows], similarity[rows] = candidates_in_order(chosen[rows], values[rows], own[rows], k)

    map_row_chunks(sort, num)
    values = np.empty((num, width), np.float32)
    done = np.zeros(num, np.int32)
    for block, _ in table.blocks():
        row, place = _pairs_below(chosen, done, block.stop)
        values[row, place] = table.similarity(row, chosen[row, place] - np.int32(block.start))
    map_row_chunks(order, num)
    decided = similarity[:, -1] > candidates.floor + candidates.error
    return index, similarity, decided | (width == table.shelf.num_rows)


@njit(cache=True, nogil=True)
def _pairs_below(chosen: np.ndarray, done: np.ndarray, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and place of what is below `stop` in the rising rows of `chosen`, from the places `done` on, which
    move on."""
    total = 0
    for i in range(chosen.shape[0]):
        p = done[i]
        while p < chosen.shape[1] and chosen[i, p] < stop:
            p += 1
        total += p - done[i]
    row = np.empty(total, np.int32)
    place = np.empty(total, np.int32)
    end = 0
    for i in range(chosen.shape[0]):
        p = done[i]
        while p < chosen.shape[1] and chosen[i, p] < stop:
            row[end] = i
            place[end] = p
            end += 1
            p += 1
        done[i] = p
    return row, place


def _search_again(table: Table, undecided: np.ndarray, index: np.ndarray, similarity: np.ndarray) -> None:
    """Fill `undecided` rows of `index` and `similarity` from all rows that may belong there."""
    if not len(undecided):
        return
    k = index.shape[1]
    # The k-th of the candidates is no better than the true k-th, so nothing below it can belong.
    least = similarity[undecided, -1] - product_error(table.shelf.width)
    found = np.full((len(undecided), k), -1, np.int32)
    value = np.full((len(undecided), k), -np.inf, np.float32)
    for block, rows in table.blocks():
        step = max(1, MAX_PAIRS // len(block))
        for start in range(0, len(undecided), step):
            part = slice(start, start + step)
            own = undecided[part]
            place, right = _may_belong(
                table.rows[own], rows, least[part], own + table.own.start - block.start
            )
            pairs = place, right + block.start, table.similarity(own[place], right)
            found[part], value[part] = _merged(found[part], value[part], own + table.own.start, *pairs)
    index[undecided], similarity[undecided] = found, value


def _may_belong(
    own: np.ndarray, block: np.ndarray, least: np.ndarray, own_place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs, a row of `own` (U, D) and one of `block` (B, D), of similarity `least` (U,) or more.

    An image's pair with itself, which stands at `own_place` (U,) of the block, or outside it, always belongs.
    """
    with full_precision():
        roughly = (torch.from_numpy(own) @ torch.from_numpy(block).T).numpy()
    inside = np.flatnonzero((own_place >= 0) & (own_place < len(block)))
    roughly[inside, own_place[inside]] = np.inf
    place, right = np.nonzero(roughly >= least[:, None])
    return place, right


def _merged(
    found: np.ndarray,
    value: np.ndarray,
    own: np.ndarray,
    place: np.ndarray,
    right: np.ndarray,
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The best k of `found` and `value` (U, k) and further pairs; −1 in `found` stands for nothing."""
    num, k = found.shape
    place = np.concatenate([np.repeat(np.arange(num), k), place])
    right = np.concatenate([found.reshape(-1), right])
    values = np.concatenate([value.reshape(-1), values])
    falling = np.where(right == own[place], -np.inf, -values)
    order = np.lexsort((right, falling, place))
    first = np.searchsorted(place[order], np.arange(num))
    best = order[first[:, None] + np.arange(k)]
    return right[best].astype(np.int32), values[best].astype(np.float32)
