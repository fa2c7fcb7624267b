from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.clustering import blocks, exhaustive, pruning, rounded
from genreid.clustering.blocks import BestOfRows, upper_blocks
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.pruning import Heads, plan, principal_directions, search_by_heads
from tests.genreid.clustering.naive import naive_ranks, person_features


def falling_features(num: int, width: int, seed: int) -> np.ndarray:
    """Persons whose coordinates in a random basis fall like 1/(i + 5), with a little white noise."""
    rng = np.random.default_rng(seed)
    scale = 1 / (np.arange(width) + 5)
    centres = rng.standard_normal((-(-num // 9), width))
    rows = (centres[rng.permutation(num) // 9] + 0.8 * rng.standard_normal((num, width))) * scale
    basis = np.linalg.qr(rng.standard_normal((width, width)))[0]
    rows = rows @ basis + 0.002 * rng.standard_normal((num, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture()
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is small: many blocks, and heads for few and narrow rows; and no rounded product is quick."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 97)
    monkeypatch.setattr(pruning, "LENGTHS", (3, 6, 12, 24, 32))
    monkeypatch.setattr(pruning, "SAMPLE_ROWS", 150)
    for name, value in (("MIN_ROWS", 10), ("MIN_WIDTH", 64), ("WORTH_IT", np.inf)):
        monkeypatch.setattr(exhaustive, name, value)
    monkeypatch.setattr(rounded, "quickest", lambda: torch.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 12])
def test_the_answer_by_heads_is_exact(small: None, seed: int, k: int) -> None:
    features = falling_features(500, 64, seed)
    found = nearest_neighbours(features, k, method="torch")
    np.testing.assert_array_equal(found.index, naive_ranks(features, k))


def test_it_is_exact_where_the_basis_is_no_use(small: None) -> None:
    features = person_features(400, 64, 10, 1.5, seed=1)
    np.testing.assert_array_equal(
        nearest_neighbours(features, 9, method="torch").index, naive_ranks(features, 9)
    )


def test_ties_and_copies_come_in_order_of_index(small: None) -> None:
    features = falling_features(400, 64, seed=5)
    copies = np.arange(100, 160)
    features[copies] = features[100]
    index = nearest_neighbours(features, 7, method="torch").index
    np.testing.assert_array_equal(index, naive_ranks(features, 7))
    lattice = np.random.default_rng(2).choice([-0.125, 0.125], (300, 64)).astype(np.float32)
    np.testing.assert_array_equal(
        nearest_neighbours(lattice, 9, method="torch").index, naive_ranks(lattice, 9)
    )


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_every_level_gives_the_same(small: None, level: int) -> None:
    features = falling_features(350, 64, seed=6)
    best = search_by_heads(features, Heads.of(torch.from_numpy(features)), level, 8, 16)
    np.testing.assert_array_equal(np.sort(best.index, 1), np.sort(naive_ranks(features, 8), 1))


def test_bounds_are_never_below_the_similarity(small: None) -> None:
    features = falling_features(200, 64, seed=7)
    heads = Heads.of(torch.from_numpy(features))
    true = features.astype(np.float64) @ features.T.astype(np.float64)
    means = []
    for level in range(len(heads.lengths)):
        rows = heads.bounding_rows(level)
        slack = (rows @ rows.T).numpy() - true
        assert slack.min() > 0
        means.append(slack.mean())
    assert means == sorted(means, reverse=True)
    assert means[-1] < means[0] / 5


def test_heads_are_what_they_say(small: None) -> None:
    features = torch.from_numpy(falling_features(200, 64, seed=8))
    directions = principal_directions(features, 32)
    torch.testing.assert_close(directions.T @ directions, torch.eye(32), atol=1e-5, rtol=0)
    kept = (features @ directions[:, :6]).square().sum() / len(features)
    best = torch.linalg.svdvals(features)[:6].square().sum() / len(features)
    assert 0.95 * best < kept <= best + 1e-5


def test_the_plan_sees_a_flat_spectrum(small: None) -> None:
    falling = torch.from_numpy(falling_features(600, 64, seed=9))
    flat = torch.from_numpy(person_features(600, 64, 1, 1.0, seed=9))
    assert plan(falling, Heads.of(falling), 8).share < plan(flat, Heads.of(flat), 8).share
    assert plan(flat, Heads.of(flat), 8).share > pruning.WORTH_IT


def test_best_of_rows_keeps_the_best_in_a_total_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Integers, so that nearly all are ties: by value, then the lower index; the root is the least."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 40)
    rows = np.random.default_rng(3).integers(-2, 3, (333, 4)).astype(np.float32)
    best = BestOfRows(333, 10, torch.float32)
    for row, column, block in upper_blocks(torch.from_numpy(rows)):
        best.offer(block, row, column)
    order = np.argsort(-(rows @ rows.T), axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(np.sort(best.index, 1), np.sort(order, 1))
    np.testing.assert_array_equal(best.index[:, -1], order[:, -1])
    np.testing.assert_array_equal(best.limits, np.take_along_axis(rows @ rows.T, order[:, -1:], 1)[:, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
@pytest.mark.parametrize("smallest", [False, True])
def test_numbers_of_both_signs_are_compared_as_numbers(
    dtype: torch.dtype, smallest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 50)
    rows = (40 * torch.randn(170, 3, generator=torch.Generator().manual_seed(1))).clamp(-127, 127).to(dtype)
    best = BestOfRows(170, 7, dtype, smallest=smallest, unit=0.5)
    product = torch.empty(170, 170)
    for row, column, block in upper_blocks(rows):
        product[row : row + len(block), column : column + block.shape[1]] = block
        product[column : column + block.shape[1], row : row + len(block)] = block.T
        best.offer(block, row, column)
    values = 0.5 * product.numpy()
    order = np.argsort(values if smallest else -values, axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(np.sort(best.index, 1), np.sort(order, 1))
    np.testing.assert_array_equal(best.limits, np.take_along_axis(values, order[:, -1:], 1)[:, 0])


def test_pairs_are_offered_to_both() -> None:
    best = BestOfRows(3, 2, torch.float32)
    left, right = np.array([0, 0, 1], np.int32), np.array([0, 2, 2], np.int32)
    best.offer_pairs(left, right, np.array([1.0, 0.5, 0.25], np.float32))
    assert best.index.tolist() == [[0, 2], [2, 3], [0, 1]]
    assert best.limits.tolist() == [0.5, -np.inf, 0.25]
