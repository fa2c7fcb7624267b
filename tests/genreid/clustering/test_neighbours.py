from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.clustering import blocks, int8_search, searches
from genreid.clustering import neighbours as module
from genreid.clustering.candidates import Candidates
from genreid.clustering.faiss_search import search_faiss
from genreid.clustering.int8_search import search_int8
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.similarity import (
    as_factor,
    candidate_similarity,
    pair_similarity,
    product_error,
    products,
    unit_rows,
)
from genreid.errors import GenreidError
from tests.genreid.clustering.naive import naive_ranks, person_features, squared_distances


def lattice(num: int, seed: int) -> np.ndarray:
    """Rows of ±¼ in 16 columns: all products are exact in float32, and nearly all are ties."""
    return np.random.default_rng(seed).choice([-0.25, 0.25], (num, 16)).astype(np.float32)


@pytest.mark.usefixtures("exact_way")
@pytest.mark.parametrize("k", [1, 2, 30])
def test_equal_to_sorting_all_similarities(k: int) -> None:
    features = person_features(300, 64, 12, 0.8, seed=1)
    found = nearest_neighbours(features, k, method="exact")
    expected = naive_ranks(features, k)
    assert found.index.dtype == np.int32
    assert found.similarity.dtype == np.float32
    np.testing.assert_array_equal(found.index, expected)
    distance = np.take_along_axis(squared_distances(features), expected, 1)
    np.testing.assert_allclose(found.distance, distance, atol=2e-6)


def test_candidates_of_one_another_have_the_similarity_of_any_other_pair() -> None:
    """To the last bit, whichever of the two was multiplied: some pairs stand in both rows, some in one."""
    features = person_features(700, 100, 12, 0.8, seed=2)
    draw = np.random.default_rng(3)
    index = np.stack([draw.permutation(700)[:150] for _ in range(700)]).astype(np.int32)
    left = np.repeat(np.arange(700), 150)
    expected = pair_similarity(features, left, index.reshape(-1)).reshape(700, 150)
    both = (index[index] == np.arange(700)[:, None, None]).any(2)
    assert 0.1 < both.mean() < 0.4
    np.testing.assert_array_equal(candidate_similarity(features, index), expected)


@pytest.mark.usefixtures("exact_way")
def test_ties_come_in_order_of_index_with_the_image_itself_first() -> None:
    features = lattice(400, seed=2)
    found = nearest_neighbours(features, 25, method="exact")
    np.testing.assert_array_equal(found.index, naive_ranks(features, 25))


@pytest.mark.usefixtures("exact_way")
def test_more_copies_of_an_image_than_places() -> None:
    features = person_features(120, 48, 1, 1.0, seed=3)
    copies = np.arange(40, 100)
    features[copies] = features[40]
    index = nearest_neighbours(features, 6, method="exact").index
    for i in copies:
        others = [j for j in copies if j != i]
        assert index[i].tolist() == [i, *others[:5]]


@pytest.mark.usefixtures("exact_way")
def test_features_that_are_all_equal() -> None:
    index = nearest_neighbours(np.full((50, 4), 0.5, np.float32), 3, method="exact").index
    assert index[0].tolist() == [0, 1, 2]
    assert index[1].tolist() == [1, 0, 2]
    assert index[49].tolist() == [49, 0, 1]


@pytest.mark.usefixtures("exact_way")
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_an_image_comes_first_although_others_are_longer(spread: float) -> None:
    """Rows may be unit within 1 %: 40 longer rows in its direction are all more similar than it is itself."""
    angle = spread * np.linspace(0, 1, 41)
    features = 1.008 * np.stack((np.cos(angle), np.sin(angle)), 1).astype(np.float32)
    features[0] *= 0.992 / 1.008
    assert nearest_neighbours(features, 4, method="exact").index[0].tolist() == [0, 1, 2, 3]


@pytest.mark.usefixtures("exact_way")
def test_no_more_columns_than_images() -> None:
    features = person_features(5, 8, 1, 1.0, seed=4)
    assert nearest_neighbours(features, 30, method="exact").index.shape == (5, 5)
    assert nearest_neighbours(features[:1], 30, method="exact").index.tolist() == [[0]]


@pytest.mark.usefixtures("exact_way")
def test_farthest_distance() -> None:
    features = person_features(80, 16, 4, 1.0, seed=5)
    found = nearest_neighbours(features, 3, method="exact", with_farthest=True)
    assert found.farthest is not None
    np.testing.assert_allclose(found.farthest, squared_distances(features).max(1), atol=2e-6)
    assert nearest_neighbours(features, 3, method="exact").farthest is None


@pytest.mark.usefixtures("exact_way")
def test_blocks_and_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.concatenate((lattice(90, seed=6), lattice(90, seed=6)))
    whole = nearest_neighbours(features, 7, method="exact", with_farthest=True)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 13)
    monkeypatch.setattr(module, "MAX_PAIRS", 500)
    monkeypatch.setattr(int8_search, "MAX_PAIRS", 500)
    small = nearest_neighbours(features, 7, method="exact", with_farthest=True)
    np.testing.assert_array_equal(whole.index, small.index)
    np.testing.assert_array_equal(whole.similarity, small.similarity)
    np.testing.assert_array_equal(whole.farthest, small.farthest)


def test_a_second_search_holds_no_more_pairs_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """More ties than candidates, so that all rows are searched again: two at a time."""
    features, held = np.full((90, 4), 0.5, np.float32), []

    def noted(rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        held.append(set(left.tolist()))
        return pair_similarity(rows, left, right)

    monkeypatch.setattr(searches, "quickest_search", lambda num_images: search_faiss)
    monkeypatch.setattr(module, "pair_similarity", noted)
    monkeypatch.setattr(module, "MAX_PAIRS", 2 * 90 + 89)
    nearest_neighbours(features, 7, method="exact")
    assert list(map(len, held)) == [2] * 45


@pytest.mark.parametrize("width", [64, 100, 1024])
@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_ways_agree_to_the_last_bit(spread: float, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a spread of 0.05 images of one person are nearer than rounding can tell, and looked at again."""
    features = person_features(500, width, 5, spread, seed=7)
    features[40:60] = features[40]
    answers = []
    for way in (search_faiss, search_int8):
        monkeypatch.setattr(searches, "quickest_search", lambda num_images, way=way: way)
        answers.append(nearest_neighbours(features, 30, method="exact"))
    np.testing.assert_array_equal(answers[0].index, answers[1].index)
    np.testing.assert_array_equal(answers[0].similarity, answers[1].similarity)
    np.testing.assert_array_equal(answers[0].index[:, 0], np.arange(500))


@pytest.mark.parametrize(
    ("is_quick", "gpus", "num_images", "way"),
    [
        (True, 0, 4096, search_int8),
        (True, 0, 4095, search_faiss),
        (True, 1, 32_621, search_faiss),
        (False, 0, 32_621, search_faiss),
    ],
)
def test_the_exact_way_follows_from_the_machine_and_the_number_of_images(
    is_quick: bool, gpus: int, num_images: int, way: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "int8_is_quick", lambda: is_quick)
    monkeypatch.setattr(searches, "num_faiss_gpus", lambda: gpus)
    assert searches.quickest_search(num_images) is way


@pytest.mark.parametrize("way", ["search_faiss", "search_int8"])
def test_the_exact_search_goes_the_quickest_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[int] = []

    def noted(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
        gone.append(len(rows))
        return search_faiss(rows, num_candidates, with_farthest)

    monkeypatch.setattr(searches, way, noted)
    monkeypatch.setattr(searches, "int8_is_quick", lambda: way == "search_int8")
    monkeypatch.setattr(searches, "FEW_ROWS", 50)
    nearest_neighbours(person_features(60, 16, 4, 1.0, seed=5), 3, method="exact")
    assert gone == [60]


def test_an_imprecise_search_still_gives_the_exact_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    error = 0.05

    def imprecise(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
        noise = np.random.default_rng(0).uniform(-error, error, (len(rows),) * 2)
        roughly = rows @ rows.T + noise
        index = np.argsort(-roughly, axis=1)[:, :num_candidates]
        floor = np.take_along_axis(roughly, index, 1)[:, -1]
        return Candidates(index.astype(np.int32), floor, error, None)

    monkeypatch.setattr(searches, "quickest_search", lambda num_images: imprecise)
    features = person_features(300, 64, 20, 1.0, seed=8)
    found = nearest_neighbours(features, 10, method="exact")
    np.testing.assert_array_equal(found.index, naive_ranks(features, 10))


def test_pair_similarity_is_symmetric_and_equal_for_equal_images() -> None:
    features = person_features(60, 333, 1, 1.0, seed=9)
    features[50] = features[3]
    left, right = np.divmod(np.arange(3600), 60)
    table = pair_similarity(features, left, right).reshape(60, 60)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(table[50], table[3])
    np.testing.assert_allclose(table, features.astype(np.float64) @ features.T.astype(np.float64), atol=1e-6)


@pytest.mark.usefixtures("exact_way")
def test_reduced_precision_of_the_caller_is_put_aside_and_put_back() -> None:
    features = person_features(100, 64, 10, 0.8, seed=10)
    exact = nearest_neighbours(features, 10, method="exact", with_farthest=True)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = nearest_neighbours(torch.from_numpy(features), 10, method="exact", with_farthest=True)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    np.testing.assert_array_equal(found.farthest, exact.farthest)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.full((3, 4), 0.4, np.float32), "row 0 of features has length 0.8"),
        (np.array([[1, 0], [np.nan, 0]], np.float32), "row 1 of features has length nan"),
        (np.zeros((0, 4), np.float32), r"shape \(0, 4\)"),
        (np.ones(4, np.float32), r"shape \(4,\)"),
    ],
)
def test_features_that_cannot_be_used(features: np.ndarray, message: str) -> None:
    with pytest.raises(GenreidError, match=message):
        unit_rows(features)


def test_settings_that_cannot_be_used() -> None:
    features = person_features(5, 8, 1, 1.0, seed=11)
    with pytest.raises(GenreidError, match="0 neighbours"):
        nearest_neighbours(features, 0, method="exact")


def test_products_are_those_of_the_rows() -> None:
    rows = torch.from_numpy(person_features(70, 48, 3, 1.0, seed=16))
    factor = as_factor(rows[20:])
    assert len(products(rows[:0], factor)) == 0
    expected = rows[:20].double() @ rows[20:].double().T
    torch.testing.assert_close(products(rows[:20], factor).double(), expected, atol=1e-6, rtol=0)


def test_products_may_be_off_by_eight_times_a_random_walk_of_rounding() -> None:
    """By hand: √1024 = 32 steps of 2⁻²⁴, eightfold."""
    assert product_error(1024) == 2**-16
