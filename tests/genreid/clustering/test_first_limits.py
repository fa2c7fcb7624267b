"""Limits from a sample spare entries and change no answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genreid.clustering import first_limits, int8_search
from genreid.clustering.blocks import BestOfRows
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.sharded import search
from genreid.clustering.sharded.shelf import Shelf
from tests.genreid.clustering.naive import person_features
from tests.genreid.clustering.sharded.test_by_workers import SETTINGS, Threads, pairs_by_workers

NUM = 700


def rows() -> np.ndarray:
    return person_features(NUM, 128, 20, 0.7, seed=8)


@pytest.fixture
def looked_again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows had to be, time by time."""
    counts = []

    def replace(best: BestOfRows, short: np.ndarray, found: BestOfRows) -> None:
        counts.append(len(short))
        original(best, short, found)

    original = BestOfRows.replace
    monkeypatch.setattr(BestOfRows, "replace", replace)
    return counts


def test_the_limit_is_a_place_in_the_sample() -> None:
    """One that the c best exceed, and not many times as many."""
    drawn = np.random.default_rng(1).integers(-63, 64, (4000, 32)).astype(np.int8)
    sampled = first_limits.sample_rows(4000, 32, 300)
    assert sampled is not None and len(sampled) == 16 * 4000 // 300 == len(set(sampled.tolist()))
    assert (np.diff(sampled) > 0).all() and sampled[0] >= 0 and 3000 < sampled[-1] < 4000
    limits = first_limits.first_limits(torch.from_numpy(drawn), torch.from_numpy(drawn[sampled]))
    product = drawn.astype(np.int64) @ drawn.T.astype(np.int64)
    np.testing.assert_array_equal(limits, np.sort(product[:, sampled], axis=1)[:, -first_limits.RANK])
    above = (product > limits[:, None]).sum(1)
    assert above.min() > 300 and 500 < np.median(above) < 1000  # 300 · 40 / 16 are 750


def test_what_is_worth_a_sample() -> None:
    assert first_limits.num_sampled(20_000, 256, 184) == 1739
    assert first_limits.num_sampled(1_000_000, 256, 1202) == 13_311
    assert first_limits.num_sampled(20_000, 2048, 92) == 0  # products of wide rows take longer
    assert first_limits.num_sampled(400, 256, 180) == 0  # two and a half times as many as there are
    assert first_limits.sample_rows(20_000, 2048, 92) is None


def candidates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = int8_search.search_int8(rows(), 20, with_farthest=False)
    asked = int8_search.propose_int8(rows(), 90)
    return np.sort(found.index, 1), found.floor, np.sort(asked, 1)


def test_a_limit_that_is_too_high_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, looked_again: list[int]
) -> None:
    told = []
    for sample, rank in ((False, 40), (True, 40), (True, 9)):
        monkeypatch.setattr(first_limits, "RANK", rank)
        monkeypatch.setattr(first_limits, "num_sampled", lambda num, width, c, size=100 * sample: size)
        told.append(candidates())
    for other in told[1:]:
        for one, same in zip(told[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
    assert len(looked_again) >= 2 and max(looked_again) > NUM / 4


@pytest.mark.parametrize("bounds", [(0, NUM), (0, 300, NUM)])
def test_nor_that_of_a_piece(
    bounds: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_again: list[int]
) -> None:
    one = nearest_neighbours(rows(), SETTINGS.k1, method="exact")
    monkeypatch.setattr(search, "int8_is_quick", lambda: True)
    monkeypatch.setattr(first_limits, "RANK", 9)
    monkeypatch.setattr(first_limits, "num_sampled", lambda *sizes: 100)
    filled = Shelf.filled(tmp_path, rows(), bounds)
    pairs_by_workers(Threads(), filled, SETTINGS, SETTINGS.eps)
    assert len(looked_again) == len(bounds) - 1
    for name in ("index", "similarity"):
        pieces = [filled.get(search.NEIGHBOURS, piece, name)[0] for piece in range(filled.num_pieces)]
        np.testing.assert_array_equal(np.concatenate(pieces), getattr(one, name))


def test_rows_of_a_shelf_one_by_one(tmp_path: Path) -> None:
    filled = Shelf.filled(tmp_path, rows(), (0, 300, NUM))
    some = np.array([0, 5, 299, 300, NUM - 1])
    np.testing.assert_array_equal(filled.rows_at(some), rows()[some])
