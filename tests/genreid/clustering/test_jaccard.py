from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from genreid.clustering import jaccard, threads
from genreid.clustering.jaccard import (
    MIN_DISTANCE,
    half_columns,
    jaccard_graph,
    overlapping_pairs,
    reciprocal_weights,
)
from genreid.clustering.neighbours import Neighbours, nearest_neighbours
from genreid.errors import GenreidError
from tests.genreid.clustering.naive import naive_jaccard, naive_weights, person_features, squared_distances

CASES = [(160, 30, 6), (160, 20, 1), (90, 7, 3), (90, 2, 2), (12, 30, 6), (1, 30, 6)]


def search(features: np.ndarray, k: int) -> Neighbours:
    return nearest_neighbours(features, k, method="exact")


@pytest.mark.parametrize(("num", "k1", "k2"), CASES)
def test_weights_equal_the_dense_formula(num: int, k1: int, k2: int) -> None:
    features = person_features(num, 32, 9, 0.9, seed=num + k1)
    found = search(features, k1)
    weights = reciprocal_weights(features, found, num_columns=k1, num_half=half_columns(k1), k2=k2)
    expected = naive_weights(squared_distances(features), found.index, k1, half_columns(k1), k2)
    np.testing.assert_allclose(weights.toarray(), expected, atol=1e-6)
    assert (weights.toarray() > 0).tolist() == (expected > 0).tolist()


@pytest.mark.parametrize(("num", "k1", "k2"), CASES)
@pytest.mark.parametrize("eps", [0.55, 0.6, 0.999])
def test_distances_equal_the_dense_formula(num: int, k1: int, k2: int, eps: float) -> None:
    features = person_features(num, 32, 9, 0.9, seed=num + k1)
    found = search(features, k1)
    graph = jaccard_graph(features, found, k1=k1, k2=k2, eps=eps)
    weights = naive_weights(squared_distances(features), found.index, k1, half_columns(k1), k2)
    expected = naive_jaccard(weights)
    np.fill_diagonal(expected, 1.0)
    near = expected <= eps
    clear = np.abs(expected - eps) > 1e-6
    stored = np.zeros_like(near)
    stored[graph.tocoo().coords] = True
    np.testing.assert_array_equal(stored & clear, near & clear)
    np.testing.assert_allclose(graph.data, expected[graph.tocoo().coords], atol=1e-6)


def test_rows_of_one_image_share_their_neighbours() -> None:
    """Three rows an image against the dense formula, folded block by block."""
    num, rows, k1, k2 = 40, 3, 6, 2
    noise = np.random.default_rng(5).normal(0, 0.1, (num * rows, 32)).astype(np.float32)
    features = person_features(num, 32, 9, 0.9, seed=5).repeat(rows, axis=0) + noise
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    found = search(features, k1 * rows)
    graph = jaccard_graph(features, found, k1=k1, k2=k2, eps=0.9, rows_per_image=rows)
    half = half_columns(k1 * rows)
    weights = naive_weights(squared_distances(features), found.index, k1 * rows, half, k2 * rows)
    expected = naive_jaccard(weights.reshape(num, rows, num, rows).sum(3).mean(1))
    assert graph.shape == (num, num) and 50 < graph.nnz < num * (num - 1) - 50
    np.testing.assert_allclose(graph.data, expected[graph.tocoo().coords], atol=1e-6)
    near = expected <= 0.9
    assert graph.nnz == np.count_nonzero(near & ~np.eye(num, dtype=bool))


def test_the_cases_reach_every_branch() -> None:
    """The comparison above is worth something: sets are expanded, and by members outside the table's row."""
    features = person_features(160, 32, 9, 0.9, seed=190)
    found = search(features, 30)
    plain = reciprocal_weights(features, found, num_columns=30, num_half=1, k2=1)
    expanded = reciprocal_weights(features, found, num_columns=30, num_half=16, k2=1)
    assert expanded.nnz > plain.nnz
    row, column = expanded.nonzero()
    in_table = (found.index[row] == column[:, None]).any(1)
    assert 0 < np.count_nonzero(~in_table) < len(row) / 2


def test_min_sum_is_the_dense_one_to_the_last_bit() -> None:
    features = person_features(150, 16, 10, 0.8, seed=3)
    found = search(features, 20)
    rows = reciprocal_weights(features, found, num_columns=20, num_half=11, k2=4).toarray()
    shared = np.zeros((150, 150), np.float32)
    for column in rows.T:
        shared += np.minimum(column[:, None], column[None])
    expected = np.maximum(1 - shared / (2 - shared), 0)
    for eps in (0.5, 0.6, 0.7):
        graph = jaccard_graph(features, found, k1=20, k2=4, eps=eps)
        near = expected <= np.float32(eps)
        np.fill_diagonal(near, False)
        assert graph.nnz == np.count_nonzero(near)
        np.testing.assert_array_equal(graph.data, np.maximum(expected[near], MIN_DISTANCE))


def test_a_pair_at_exactly_eps_is_kept() -> None:
    features = person_features(80, 16, 8, 0.8, seed=4)
    found = search(features, 10)
    graph = jaccard_graph(features, found, k1=10, k2=3, eps=0.9)
    distance = np.sort(graph.data)[len(graph.data) // 2]
    below = jaccard_graph(features, found, k1=10, k2=3, eps=float(np.nextafter(distance, np.float32(0))))
    at = jaccard_graph(features, found, k1=10, k2=3, eps=float(distance))
    assert at.data.max() == distance
    assert below.data.max() < distance


def test_two_pairs_of_copies_by_hand() -> None:
    """Each pair shares all its weight, ½ and ½, so J = 1 − 1/(2 − 1) = 0; nothing joins the pairs."""
    features = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    graph = jaccard_graph(features, search(features, 2), k1=2, k2=1, eps=0.5)
    assert graph.tocoo().coords[0].tolist() == [0, 1, 2, 3]
    assert graph.tocoo().coords[1].tolist() == [2, 3, 0, 1]
    assert (graph.data == np.float32(1e-12)).all()


def test_a_chain_by_hand() -> None:
    """Three images on a line, k1 = 2: the ends are not each other's neighbours, the middle is one of each.

    Ranks 0: (0, 1), 1: (1, 0), 2: (2, 1). R(0) = R(1) = {0, 1}, R(2) = {2}, with d the squared distance of 0
    and 1 and w = 1 / (1 + e^−d): V_0 = (w, 1−w, 0), V_1 = (1−w, w, 0), V_2 = (0, 0, 1), so m(0, 1) = 2(1−w).
    """
    angle = np.array([0.0, 0.4, 1.0])
    features = np.stack((np.cos(angle), np.sin(angle)), 1).astype(np.float32)
    graph = jaccard_graph(features, search(features, 2), k1=2, k2=1, eps=0.99)
    w = 1 / (1 + np.exp(-(2 - 2 * np.cos(0.4))))
    shared = 2 * (1 - w)
    assert graph.tocoo().coords[0].tolist() == [0, 1]
    np.testing.assert_allclose(graph.data, 1 - shared / (2 - shared), atol=1e-6)


def test_graph_is_symmetric_sorted_and_without_a_diagonal() -> None:
    features = person_features(100, 16, 10, 0.7, seed=5)
    features[60:70] = features[60]
    graph = jaccard_graph(features, search(features, 15), k1=15, k2=6, eps=0.7)
    assert graph.data.dtype == np.float32
    assert abs(graph - graph.T).max() == 0
    assert (graph.diagonal() == 0).all()
    assert (graph.data > 0).all()
    row = np.repeat(np.arange(100), np.diff(graph.indptr))
    assert (np.diff(row * 100 + graph.indices) > 0).all()


def test_threads_and_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features = person_features(200, 16, 10, 0.8, seed=6)
    found = search(features, 15)
    num_threads = torch.get_num_threads()
    graphs = []
    try:
        for threads_used, chunk in ((1, 2048), (2, 64), (3, 17)):
            torch.set_num_threads(threads_used)
            monkeypatch.setattr(threads, "MIN_CHUNK_ROWS", min(chunk, 64))
            monkeypatch.setattr(threads, "MAX_CHUNK_ROWS", chunk)
            graphs.append(jaccard_graph(features, found, k1=15, k2=6, eps=0.7))
    finally:
        torch.set_num_threads(num_threads)
    for graph in graphs[1:]:
        np.testing.assert_array_equal(graph.indices, graphs[0].indices)
        np.testing.assert_array_equal(graph.data, graphs[0].data)


def test_as_plain_python_the_kernel_stays_within_its_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, nobody would notice. At first there is room for 1,024 pairs; 1,100 images share a column."""
    num = 1100
    images = np.arange(num)
    weights = csr_array((np.ones(num, np.float32), (images, np.zeros(num, np.int64))), shape=(num, num))
    monkeypatch.setattr(jaccard, "_overlaps", jaccard._overlaps.py_func)
    counts, columns, distances = overlapping_pairs(weights, weights.T.tocsr(), 0, 3)
    assert counts.tolist() == [num] * 3 and not distances.any()
    np.testing.assert_array_equal(columns, np.tile(images, 3))


def test_half_columns_rounds_as_numpy_does() -> None:
    assert half_columns(30) == 16
    assert [half_columns(k1) for k1 in range(1, 60)] == [int(np.around(k1 / 2)) + 1 for k1 in range(1, 60)]


def test_settings_that_cannot_be_used() -> None:
    features = person_features(40, 16, 5, 0.8, seed=7)
    found = search(features, 10)
    for eps in (0.0, 1.0, 60.0):
        with pytest.raises(GenreidError, match="eps is"):
            jaccard_graph(features, found, k1=10, k2=6, eps=eps)
    with pytest.raises(GenreidError, match="k2 is 0"):
        jaccard_graph(features, found, k1=10, k2=0, eps=0.6)
    with pytest.raises(GenreidError, match="10 columns of neighbours: expected 11"):
        jaccard_graph(features, found, k1=11, k2=6, eps=0.6)
