from __future__ import annotations

from dataclasses import MISSING, fields

import numpy as np
import pytest

from genreid.clustering.neighbours import nearest_neighbours
from genreid.errors import GenreidError
from genreid.evaluation.ranking import rank, rank_from_distances
from genreid.evaluation.reranking import rerank
from genreid.evaluation.settings import RerankingSettings
from tests.genreid.clustering.naive import naive_jaccard, naive_weights, person_features, squared_distances


def naive_reranking(features: np.ndarray, num_queries: int, settings: RerankingSettings) -> np.ndarray:
    """Zhong et al.'s d* of the first `num_queries` images to the others, dense."""
    distance = squared_distances(features)
    distance /= distance.max(1, keepdims=True)
    ranks = nearest_neighbours(features, settings.k1 + 1, method="exact").index
    weights = naive_weights(distance, ranks, settings.k1 + 1, round(settings.k1 / 2) + 1, settings.k2)
    share = settings.original_weight
    return ((1 - share) * naive_jaccard(weights) + share * distance)[:num_queries, num_queries:]


@pytest.mark.usefixtures("exact_way")
@pytest.mark.parametrize(
    ("num", "num_queries", "k1", "k2", "share"),
    [(150, 40, 20, 6, 0.3), (150, 100, 5, 1, 0.0), (90, 1, 7, 3, 1.0), (12, 4, 20, 6, 0.3)],
)
def test_equal_to_the_dense_formula(num: int, num_queries: int, k1: int, k2: int, share: float) -> None:
    features = person_features(num, 24, 8, 0.8, seed=num + k1)
    settings = RerankingSettings(k1, k2, share)
    distances = rerank(features[:num_queries], features[num_queries:], settings)
    expected = naive_reranking(features, num_queries, settings)
    assert distances.shape == expected.shape
    np.testing.assert_allclose(distances[:], expected, atol=2e-6)


def test_rows_are_those_of_the_whole() -> None:
    features = person_features(130, 24, 8, 0.8, seed=1)
    distances = rerank(features[:50], features[50:], RerankingSettings(10, 3, 0.3))
    parts = np.concatenate([distances[start : start + 17] for start in range(0, 50, 17)])
    np.testing.assert_allclose(parts, distances[:], atol=1e-6)


def test_reranking_helps_where_neighbourhoods_tell_more_than_distances() -> None:
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(1, 31), 8)
    features = rng.standard_normal((31, 16))[person] + 0.9 * rng.standard_normal((240, 16))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    camera = np.tile(np.arange(4), 60)
    query = np.arange(240) % 8 == 0
    labels = (person[query], camera[query]), (person[~query], camera[~query])
    plain = rank(features[query], *labels[0], features[~query], *labels[1], max_rank=5)
    distances = rerank(features[query], features[~query], RerankingSettings(7, 3, 0.3))
    reranked = rank_from_distances(distances, *labels[0], *labels[1], max_rank=5)
    assert reranked.mean_ap > plain.mean_ap + 0.02


def test_an_encoder_that_collapsed_still_gives_numbers() -> None:
    features = np.full((40, 4), 0.5, np.float32)
    distances = rerank(features[:10], features[10:], RerankingSettings(20, 6, 0.3))[:]
    assert np.isfinite(distances).all()


def test_settings_have_no_defaults_and_refuse_the_impossible() -> None:
    assert all(field.default is MISSING for field in fields(RerankingSettings))
    features = person_features(20, 8, 5, 0.5, seed=3)
    with pytest.raises(GenreidError, match="k2 is 6 and k1 5: expected at most k1"):
        RerankingSettings(5, 6, 0.3)
    with pytest.raises(GenreidError, match="k2 is 0"):
        rerank(features[:5], features[5:], RerankingSettings(20, 0, 0.3))
