"""The best of every row, from blocks, beside a full sort of exact integers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.clustering import blocks
from genreid.clustering.blocks import BestOfRows, _any_above, _any_above_own, _keep_best, upper_blocks


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize(("size", "largest"), [(40, 2), (50, 63), (400, 63)])
def test_the_best_are_kept_in_a_total_order(
    size: int, largest: int, smallest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few integers make nearly all ties: by value, then the lower index; the root is the least."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", size)
    rows = np.random.default_rng(3).integers(-largest, largest + 1, (333, 5)).astype(np.int8)
    best = BestOfRows(333, 10, smallest=smallest)
    for row, column, block in upper_blocks(torch.from_numpy(rows)):
        best.offer(block, row, column)
    product = rows.astype(np.int64) @ rows.T.astype(np.int64)
    order = np.argsort(product if smallest else -product, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(np.sort(best.index, 1), np.sort(order, 1))
    np.testing.assert_array_equal(best.index[:, -1], order[:, -1])
    np.testing.assert_array_equal(best.limits, np.take_along_axis(product, order[:, -1:], 1)[:, 0])


@pytest.mark.parametrize("smallest", [False, True])
def test_a_limit_leaves_out_what_does_not_exceed_it(smallest: bool) -> None:
    """Rows that have too few then say so, and take what was found of them without one."""
    product = np.random.default_rng(6).integers(-90, 91, (50, 300)).astype(np.int32)
    order = np.argsort(product if smallest else -product, axis=1, kind="stable")[:, :10]
    place = np.where(np.arange(50) % 3 == 0, 4, 40)  # a limit among the best, or far behind them
    rank = np.argsort(product if smallest else -product, axis=1, kind="stable")[np.arange(50), place]
    limits = product[np.arange(50), rank]
    best = BestOfRows(50, 10, smallest=smallest, limits=limits)
    best.offer_rows(torch.from_numpy(product), 0, 0)
    short = np.flatnonzero(np.arange(50) % 3 == 0)
    np.testing.assert_array_equal(best.short, short)
    np.testing.assert_array_equal(best.limits[short], limits[short])
    found = BestOfRows(len(short), 10, smallest=smallest)
    found.offer_rows(torch.from_numpy(product[short]), 0, 0)
    best.replace(short, found)
    assert not len(best.short)
    np.testing.assert_array_equal(np.sort(best.index, 1), np.sort(order, 1))
    np.testing.assert_array_equal(best.limits, product[np.arange(50), order[:, -1]])


def test_columns_before_the_first_one() -> None:
    product = np.random.default_rng(7).integers(-5, 6, (4, 700)).astype(np.int32)
    best = BestOfRows(4, 20)
    best.offer_rows(torch.from_numpy(product), 0, -350)
    order = np.argsort(-product, axis=1, kind="stable")[:, :20] - 350
    np.testing.assert_array_equal(np.sort(best.index, 1), np.sort(order, 1))


@pytest.mark.parametrize("num", [1, 2, 3, 40, 41])
def test_the_best_go_to_the_front(num: int) -> None:
    rng = np.random.default_rng(num)
    for entries in (rng.permutation(num), np.arange(num), np.arange(num)[::-1], rng.integers(-9, 9, num)):
        unlike = (entries.astype(np.int64) << 32) | rng.permutation(num)
        for k in range(1, num + 1):
            moved = unlike.copy()
            expected = np.sort(unlike)[::-1]
            assert _keep_best(moved, k) == expected[k - 1] >> 32
            assert moved[k - 1] == expected[k - 1]
            np.testing.assert_array_equal(np.sort(moved[:k]), expected[:k][::-1])
            np.testing.assert_array_equal(np.sort(moved), expected[::-1])


@pytest.mark.parametrize("smallest", [False, True])
def test_places_that_nothing_was_offered_for(smallest: bool) -> None:
    best = BestOfRows(3, 4, smallest=smallest)
    best.offer(torch.tensor([[5, -7, 2]] * 3, dtype=torch.int32), 0, 0)
    assert (np.sort(best.index, 1) == [0, 1, 2, 3]).all()
    ends = np.iinfo(np.int32)
    assert (best.limits == (ends.max if smallest else ends.min)).all()


def test_as_plain_python_the_kernels_stay_within_their_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, nobody would notice. Blocks of more than one group of entries, the last one shorter."""
    rows = np.random.default_rng(5).integers(-3, 4, (180, 5)).astype(np.int8)
    found = []
    for _ in range(2):
        best = BestOfRows(180, 4)
        monkeypatch.setattr(blocks, "BLOCK_ROWS", 90)
        for row, column, block in upper_blocks(torch.from_numpy(rows)):
            best.offer(block, row, column)
        found.append(best.index)
        for name in ("_offer_rows", "_offer_columns", "_settle_rows", "_read_images", "_keep_best", "_entry"):
            kernel = getattr(blocks, name)
            monkeypatch.setattr(blocks, name, getattr(kernel, "py_func", kernel))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("flip", [0, -1])
def test_a_group_is_dismissed_where_nothing_in_it_exceeds_the_limit(flip: int) -> None:
    rng = np.random.default_rng(4)
    told = []
    for _ in range(200):
        group, limits = rng.integers(-9, 10, (2, int(rng.integers(1, 5)))).astype(np.int32)
        keys = [-1 - value if flip else value for value in group.tolist()]
        one = max(limits.tolist())
        above = any(key > one for key in keys), any(k > o for k, o in zip(keys, limits.tolist(), strict=True))
        assert (
            _any_above(group, np.int32(flip), one),
            _any_above_own(group, np.int32(flip), limits),
        ) == above
        told.append(above)
    assert set(told) == {(False, False), (False, True), (True, True)}
