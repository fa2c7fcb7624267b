"""Queries against another set, beside a full sort."""

from __future__ import annotations

import numpy as np
import pytest

from genreid.clustering.faiss_search import nearest_in_gallery
from genreid.errors import GenreidError


def rows(num: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(num, 12)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 7, 200])
def test_the_nearest_are_those_of_a_full_sort(k: int) -> None:
    queries, gallery = rows(5, 1), rows(90, 2)
    index, similarity = nearest_in_gallery(queries, gallery, k)
    cosine = queries.astype(np.float64) @ gallery.T.astype(np.float64)
    expected = np.argsort(-cosine, axis=1)[:, :k]
    assert np.array_equal(index, expected)
    np.testing.assert_allclose(similarity, np.take_along_axis(cosine, expected, 1), atol=1e-6)


def test_copies_come_in_the_order_of_the_gallery() -> None:
    gallery = np.concatenate([rows(4, 3), rows(4, 3)])
    index, similarity = nearest_in_gallery(gallery[2:3], gallery, 2)
    assert index.tolist() == [[2, 6]] and similarity[0, 0] == similarity[0, 1]


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(GenreidError, match="queries are 3 wide and the gallery 12"):
        nearest_in_gallery(np.eye(3, dtype=np.float32), rows(4, 1), 1)
    with pytest.raises(GenreidError, match="row 0 of queries has length 2"):
        nearest_in_gallery(2 * rows(1, 1), rows(4, 1), 1)
    with pytest.raises(GenreidError, match="0 neighbours asked for"):
        nearest_in_gallery(rows(1, 1), rows(4, 1), 0)
