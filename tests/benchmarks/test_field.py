"""The alternatives of the benchmarks compute what they are held against."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import field
from benchmarks.inputs import Spectrum, people
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.pseudo_labels import cluster
from genreid.clustering.settings import PseudoLabelSettings
from genreid.evaluation.ranking import rank_from_distances
from genreid.evaluation.reranking import rerank
from genreid.evaluation.settings import RerankingSettings
from tests.genreid.clustering.naive import naive_jaccard, naive_weights, squared_distances


@pytest.mark.parametrize("eps", [0.55, 0.6])
def test_pseudo_labels(eps: float) -> None:
    features = people(350, 64).features
    ours = cluster(features, PseudoLabelSettings(20, 4, eps, 4, method="exact")).labels
    dense = field.pseudo_labels(features.numpy(), k1=20, k2=4, eps=eps, min_samples=4)
    np.testing.assert_array_equal(ours, dense)
    assert dense.max() > 3


def test_jaccard_is_the_formula() -> None:
    features = people(120, 32).features.numpy()
    ranks = nearest_neighbours(features, 12, method="exact").index
    distance = squared_distances(features)
    weights = field.reciprocal_weights(ranks, lambda i, others: distance[i, others], 12, 7, 3)
    expected = naive_weights(distance, ranks, 12, 7, 3)
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    np.testing.assert_allclose(field.jaccard_distance(weights, 120), naive_jaccard(expected), atol=1e-5)


def test_reranking() -> None:
    features = people(200, 48).features.numpy()
    ours = rerank(features[:40], features[40:], RerankingSettings(15, 4, 0.3))[:]
    dense = field.rerank(features[:40], features[40:], k1=15, k2=4, original_weight=0.3)
    np.testing.assert_allclose(ours, dense, atol=1e-5)


def test_ranking() -> None:
    scene = people(400, 48)
    distances = (1 - scene.features[:60] @ scene.features[60:].T).numpy()
    labels = scene.person[:60], scene.camera[:60], scene.person[60:], scene.camera[60:]
    ours = rank_from_distances(distances, *labels, max_rank=10)
    mean_ap, cmc = field.mean_average_precision(distances, *labels, max_rank=10)
    assert ours.mean_ap == pytest.approx(mean_ap, abs=1e-6)
    np.testing.assert_allclose(ours.cmc, cmc, atol=1e-12)


def test_people_have_a_falling_spectrum_or_a_flat_one() -> None:
    shares: dict[Spectrum, tuple[float, float]] = {"falling": (0.75, 0.95), "flat": (0.1, 0.35)}
    for spectrum, (least, most) in shares.items():
        features = people(2000, 96, spectrum=spectrum).features.numpy()
        variance = np.linalg.svd(features, compute_uv=False) ** 2
        assert least < variance[:8].sum() / variance.sum() < most
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
