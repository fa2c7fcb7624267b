"""Searches that lose neighbours: how many, and that those found are ordered truly."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.settings import Method
from genreid.clustering.short_rows import principal_directions, short_rows
from genreid.clustering.similarity import pair_similarity
from genreid.errors import GenreidError
from tests.genreid.clustering.naive import naive_ranks, person_features

APPROXIMATE: tuple[Method, ...] = ("pca_bound", "hnsw")


@pytest.mark.usefixtures("exact_way")
@pytest.mark.parametrize("method", APPROXIMATE)
def test_most_neighbours_are_found_and_ordered_truly(method: Method) -> None:
    """Rows of 400 numbers whose spectrum is flat: the 256 that are looked at leave a third out."""
    features = person_features(3000, 400, 15, 0.6, seed=12)
    exact = nearest_neighbours(features, 20, method="exact")
    found = nearest_neighbours(features, 20, method=method)
    np.testing.assert_array_equal(found.index[:, 0], np.arange(3000))
    shared = [len(np.intersect1d(a, b)) for a, b in zip(exact.index, found.index, strict=True)]
    assert np.mean(shared) / 20 > 0.8
    row = np.repeat(np.arange(3000), 20)
    true = pair_similarity(features, row, found.index.reshape(-1)).reshape(3000, 20)
    np.testing.assert_array_equal(found.similarity, true)
    assert (np.diff(found.similarity[:, 1:], axis=1) <= 0).all()


@pytest.mark.usefixtures("exact_way")
def test_all_pairs_of_short_rows_lose_nothing_where_all_numbers_fit() -> None:
    features = person_features(700, 64, 7, 0.5, seed=14)
    found = nearest_neighbours(features, 12, method="pca_bound")
    np.testing.assert_array_equal(found.index, naive_ranks(features, 12))


@pytest.mark.usefixtures("exact_way")
def test_more_neighbours_than_images() -> None:
    features = person_features(9, 300, 3, 0.5, seed=17)
    found = nearest_neighbours(features, 30, method="pca_bound")
    np.testing.assert_array_equal(found.index, naive_ranks(features, 30))


def test_a_walk_that_ends_too_early_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """faiss then has −1 in the last places: such rows are searched among all images."""

    class Tired(faiss.IndexHNSWFlat):  # type: ignore[misc]
        def search(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
            similarity, index = super().search(rows, k)
            index[::7, 3:] = -1
            return similarity, index

    monkeypatch.setattr(faiss, "IndexHNSWFlat", Tired)
    features = person_features(400, 32, 4, 0.3, seed=13)
    found = nearest_neighbours(features, 20, method="hnsw")
    np.testing.assert_array_equal(found.index[::7], naive_ranks(features, 20)[::7])
    assert (found.index >= 0).all()


@pytest.mark.parametrize("method", APPROXIMATE)
def test_the_farthest_image_is_not_known(method: Method) -> None:
    features = person_features(20, 8, 2, 1.0, seed=15)
    with pytest.raises(GenreidError, match="does not know the farthest image: set `method` to exact"):
        nearest_neighbours(features, 3, method=method, with_farthest=True)


def falling_features(num: int, width: int, seed: int) -> np.ndarray:
    """Persons whose coordinates in a random basis fall like 1/(i + 5), with a little white noise."""
    rng = np.random.default_rng(seed)
    scale = 1 / (np.arange(width) + 5)
    centres = rng.standard_normal((-(-num // 9), width))
    rows = (centres[rng.permutation(num) // 9] + 0.8 * rng.standard_normal((num, width))) * scale
    basis = np.linalg.qr(rng.standard_normal((width, width)))[0]
    rows = rows @ basis + 0.002 * rng.standard_normal((num, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_principal_directions_are_orthonormal_and_hold_the_most() -> None:
    features = torch.from_numpy(falling_features(200, 64, seed=8))
    directions = principal_directions(features, 32)
    torch.testing.assert_close(directions.T @ directions, torch.eye(32), atol=1e-5, rtol=0)
    kept = (features @ directions[:, :6]).square().sum() / len(features)
    best = torch.linalg.svdvals(features)[:6].square().sum() / len(features)
    assert 0.95 * best < kept <= best + 1e-5


def test_short_rows_keep_what_256_directions_can() -> None:
    features = falling_features(600, 400, seed=9)
    short = short_rows(features)
    assert short.shape == (600, 256) and short.dtype == np.float32
    best = (np.linalg.svd(features.astype(np.float64), compute_uv=False)[:256] ** 2).sum()
    assert 0.999 * best < (short.astype(np.float64) ** 2).sum() <= 1.000001 * best
    narrow = features[:, :256].copy()
    assert short_rows(narrow) is narrow
