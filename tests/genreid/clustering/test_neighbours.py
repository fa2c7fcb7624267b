from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from genreid.clustering import blocks, rounded
from genreid.clustering import neighbours as module
from genreid.clustering.neighbours import Candidates, nearest_neighbours
from genreid.clustering.similarity import (
    as_factor,
    candidate_similarity,
    pair_similarity,
    products,
    unit_rows,
)
from genreid.errors import GenreidError
from tests.genreid.clustering.naive import naive_ranks, person_features, squared_distances

METHODS = ("faiss", "torch")
APPROXIMATE = ("heads", "hnsw")


def lattice(num: int, seed: int) -> np.ndarray:
    """Rows of ±¼ in 16 columns: all products are exact in float32, and nearly all are ties."""
    return np.random.default_rng(seed).choice([-0.25, 0.25], (num, 16)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [1, 2, 30])
def test_equal_to_sorting_all_similarities(method: str, k: int) -> None:
    features = person_features(300, 64, 12, 0.8, seed=1)
    found = nearest_neighbours(features, k, method=method)
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


@pytest.mark.parametrize("method", METHODS)
def test_ties_come_in_order_of_index_with_the_image_itself_first(method: str) -> None:
    features = lattice(400, seed=2)
    found = nearest_neighbours(features, 25, method=method)
    np.testing.assert_array_equal(found.index, naive_ranks(features, 25))


@pytest.mark.parametrize("method", METHODS)
def test_more_copies_of_an_image_than_places(method: str) -> None:
    features = person_features(120, 48, 1, 1.0, seed=3)
    copies = np.arange(40, 100)
    features[copies] = features[40]
    index = nearest_neighbours(features, 6, method=method).index
    for i in copies:
        others = [j for j in copies if j != i]
        assert index[i].tolist() == [i, *others[:5]]


@pytest.mark.parametrize("method", METHODS)
def test_features_that_are_all_equal(method: str) -> None:
    index = nearest_neighbours(np.full((50, 4), 0.5, np.float32), 3, method=method).index
    assert index[0].tolist() == [0, 1, 2]
    assert index[1].tolist() == [1, 0, 2]
    assert index[49].tolist() == [49, 0, 1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_an_image_comes_first_although_others_are_longer(method: str, spread: float) -> None:
    """Rows may be unit within 1 %: 40 longer rows in its direction are all more similar than it is itself."""
    angle = spread * np.linspace(0, 1, 41)
    features = 1.008 * np.stack((np.cos(angle), np.sin(angle)), 1).astype(np.float32)
    features[0] *= 0.992 / 1.008
    assert nearest_neighbours(features, 4, method=method).index[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("method", METHODS)
def test_no_more_columns_than_images(method: str) -> None:
    features = person_features(5, 8, 1, 1.0, seed=4)
    assert nearest_neighbours(features, 30, method=method).index.shape == (5, 5)
    assert nearest_neighbours(features[:1], 30, method=method).index.tolist() == [[0]]


@pytest.mark.parametrize("method", METHODS)
def test_farthest_distance(method: str) -> None:
    features = person_features(80, 16, 4, 1.0, seed=5)
    found = nearest_neighbours(features, 3, method=method, with_farthest=True)
    np.testing.assert_allclose(found.farthest, squared_distances(features).max(1), atol=2e-6)
    assert nearest_neighbours(features, 3, method=method).farthest is None


def test_blocks_and_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.concatenate((lattice(90, seed=6), lattice(90, seed=6)))
    whole = nearest_neighbours(features, 7, method="torch", with_farthest=True)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 13)
    monkeypatch.setattr(module, "MAX_PAIRS", 500)
    small = nearest_neighbours(features, 7, method="torch", with_farthest=True)
    np.testing.assert_array_equal(whole.index, small.index)
    np.testing.assert_array_equal(whole.similarity, small.similarity)
    np.testing.assert_array_equal(whole.farthest, small.farthest)


def test_searches_agree_to_the_last_bit() -> None:
    features = person_features(500, 128, 25, 0.5, seed=7)
    faiss, plain = (nearest_neighbours(features, 30, method=method) for method in METHODS)
    np.testing.assert_array_equal(faiss.index, plain.index)
    np.testing.assert_array_equal(faiss.similarity, plain.similarity)


def test_an_imprecise_search_still_gives_the_exact_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    error = 0.05

    def imprecise(features: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
        noise = np.random.default_rng(0).uniform(-error, error, (len(features),) * 2)
        roughly = (features @ features.T).numpy() + noise
        index = np.argsort(-roughly, axis=1)[:, :num_candidates]
        floor = np.take_along_axis(roughly, index, 1)[:, -1]
        return Candidates(index.astype(np.int32), floor, error, None)

    monkeypatch.setitem(module.SEARCHES, "imprecise", imprecise)
    features = person_features(300, 64, 20, 1.0, seed=8)
    found = nearest_neighbours(features, 10, method="imprecise")
    np.testing.assert_array_equal(found.index, naive_ranks(features, 10))


def test_pair_similarity_is_symmetric_and_equal_for_equal_images() -> None:
    features = person_features(60, 333, 1, 1.0, seed=9)
    features[50] = features[3]
    left, right = np.divmod(np.arange(3600), 60)
    table = pair_similarity(features, left, right).reshape(60, 60)
    np.testing.assert_array_equal(table, table.T)
    np.testing.assert_array_equal(table[50], table[3])
    np.testing.assert_allclose(table, features.astype(np.float64) @ features.T.astype(np.float64), atol=1e-6)


def test_reduced_precision_of_the_caller_is_put_aside_and_put_back() -> None:
    features = person_features(100, 64, 10, 0.8, seed=10)
    exact = nearest_neighbours(features, 10, method="torch", with_farthest=True)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = nearest_neighbours(torch.from_numpy(features), 10, method="torch", with_farthest=True)
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
    with pytest.raises(GenreidError, match=r"'annoy' is unknown: expected one of faiss, heads, hnsw, torch"):
        nearest_neighbours(features, 2, method="annoy")
    with pytest.raises(GenreidError, match="0 neighbours"):
        nearest_neighbours(features, 0, method="torch")


@pytest.mark.parametrize("method", APPROXIMATE)
def test_an_approximate_search_finds_most_neighbours_and_orders_them_truly(method: str) -> None:
    """Rows of 400 numbers whose spectrum is flat: the 256 that are looked at leave a third out."""
    features = person_features(3000, 400, 15, 0.6, seed=12)
    exact = nearest_neighbours(features, 20, method="torch")
    found = nearest_neighbours(features, 20, method=method)
    np.testing.assert_array_equal(found.index[:, 0], np.arange(3000))
    shared = [len(np.intersect1d(a, b)) for a, b in zip(exact.index, found.index, strict=True)]
    assert np.mean(shared) / 20 > 0.8
    row = np.repeat(np.arange(3000), 20)
    true = pair_similarity(features, row, found.index.reshape(-1)).reshape(3000, 20)
    np.testing.assert_array_equal(found.similarity, true)
    assert (np.diff(found.similarity[:, 1:], axis=1) <= 0).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int8])
def test_short_rows_lose_nothing_where_all_fit(kind: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounded, "quickest", lambda: kind)
    features = person_features(700, 64, 7, 0.5, seed=14)
    found = nearest_neighbours(features, 12, method="heads")
    np.testing.assert_array_equal(found.index, nearest_neighbours(features, 12, method="torch").index)


def test_a_walk_that_ends_too_early_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """faiss then has −1 in the last places: such rows are searched among all images."""

    class Tired(faiss.IndexHNSWFlat):  # type: ignore[misc]
        def search(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            similarity, index = super().search(rows, k)
            index[::7, 3:] = -1
            return similarity, index

    monkeypatch.setattr(faiss, "IndexHNSWFlat", Tired)
    features = person_features(400, 32, 4, 0.3, seed=13)
    found = nearest_neighbours(features, 20, method="hnsw")
    np.testing.assert_array_equal(found.index[::7], naive_ranks(features, 20)[::7])
    assert (found.index >= 0).all()


@pytest.mark.parametrize("method", APPROXIMATE)
def test_an_approximate_search_does_not_know_the_farthest(method: str) -> None:
    features = person_features(20, 8, 2, 1.0, seed=15)
    with pytest.raises(GenreidError, match="does not know the farthest image: set `method` to torch"):
        nearest_neighbours(features, 3, method=method, with_farthest=True)


def test_products_are_those_of_the_rows() -> None:
    rows = torch.from_numpy(person_features(70, 48, 3, 1.0, seed=16))
    factor = as_factor(rows[20:])
    assert len(products(rows[:0], factor)) == 0
    expected = rows[:20].double() @ rows[20:].double().T
    torch.testing.assert_close(products(rows[:20], factor).double(), expected, atol=1e-6, rtol=0)
