from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.cluster import DBSCAN

from genreid.clustering.jaccard import half_columns, reciprocal_weights
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.pseudo_labels import (
    PseudoLabels,
    adjusted_rand_index,
    cluster,
    dbscan,
    require_clusters,
)
from genreid.clustering.settings import PseudoLabelSettings
from genreid.errors import GenreidError
from tests.genreid.clustering.naive import person_features

SETTINGS = PseudoLabelSettings(k1=20, k2=6, eps=0.6, min_samples=4, method="exact")


def dense_labels(distance: np.ndarray, eps: float, min_samples: int) -> np.ndarray:
    return DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(distance).labels_


def dense_distance(features: np.ndarray, settings: PseudoLabelSettings) -> np.ndarray:
    """The whole (N, N) float32 Jaccard matrix, from the weights, added column by column."""
    found = nearest_neighbours(features, settings.k1, method=settings.method)
    rows = reciprocal_weights(
        features, found, num_columns=settings.k1, num_half=half_columns(settings.k1), k2=settings.k2
    ).toarray()
    shared = np.zeros((len(rows), len(rows)), np.float32)
    for column in rows.T:
        shared += np.minimum(column[:, None], column[None])
    distance = np.maximum(1 - shared / (2 - shared), 0)
    np.fill_diagonal(distance, 0)
    return distance


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("exact_way")
def test_labels_are_scikit_learns_on_the_dense_matrix(seed: int) -> None:
    features = person_features(240, 16, 12, 0.6 + 0.15 * seed, seed)
    features[100:108] = features[100]
    distance = dense_distance(features, SETTINGS)
    kinds = set()
    for eps in (0.4, 0.5, 0.55, 0.6):
        for min_samples in (1, 2, 4, 10):
            settings = dataclasses.replace(SETTINGS, eps=eps, min_samples=min_samples)
            labels = cluster(features, settings).labels
            expected = dense_labels(distance, eps, min_samples)
            np.testing.assert_array_equal(labels, expected)
            kinds.add((bool(expected.max() > 1), bool((expected == -1).any())))
    assert (True, True) in kinds


def test_dbscan_on_graphs_with_many_border_images() -> None:
    """Random sparse graphs: borders that touch several clusters, chains, lone images."""
    rng = np.random.default_rng(0)
    contested = 0
    for trial in range(150):
        num = int(rng.integers(1, 60))
        near = np.triu(rng.random((num, num)) < rng.uniform(0.02, 0.1), 1)
        near |= near.T
        min_samples = int(rng.integers(1, 8))
        labels = dbscan(csr_array(near.astype(np.float32)), min_samples).labels
        distance = np.where(near, 0.3, 1.0)
        np.fill_diagonal(distance, 0)
        np.testing.assert_array_equal(
            labels, dense_labels(distance, 0.5, min_samples), err_msg=f"trial {trial}"
        )
        core = near.sum(1) + 1 >= min_samples
        contested += sum(len(set(labels[near[i] & core])) > 1 for i in np.flatnonzero(~core))
    assert contested > 50


def test_scikit_learn_gives_the_same_on_the_sparse_graph() -> None:
    features = person_features(200, 16, 10, 0.8, seed=9)
    labels = cluster(features, SETTINGS).labels
    sparse = csr_array(
        np.where((distance := dense_distance(features, SETTINGS)) <= np.float32(0.6), distance, 0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = DBSCAN(eps=0.6, min_samples=4, metric="precomputed").fit(sparse).labels_
    np.testing.assert_array_equal(labels, expected)


def test_fewer_images_than_neighbours_asked_for() -> None:
    features = person_features(9, 16, 9, 0.1, seed=1)
    assert cluster(features, SETTINGS).labels.tolist() == [0] * 9
    assert cluster(features[:1], SETTINGS).labels.tolist() == [-1]


def test_a_tensor_is_clustered_like_an_array() -> None:
    features = person_features(60, 16, 10, 0.5, seed=2)
    np.testing.assert_array_equal(
        cluster(torch.from_numpy(features), SETTINGS).labels, cluster(features, SETTINGS).labels
    )


def test_clusters_are_found_again() -> None:
    """Well separated persons come out as they went in, and the agreement says so."""
    rng = np.random.default_rng(5)
    person = rng.permutation(np.repeat(np.arange(8), 15))
    features = np.eye(8)[person] + 0.05 * rng.standard_normal((120, 8))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    labels = cluster(features, SETTINGS)
    assert labels.labels.dtype == np.int64
    assert (labels.num_clusters, labels.num_outliers) == (8, 0)
    assert adjusted_rand_index(labels, person) == 1.0


def naive_adjusted_rand(a: np.ndarray, b: np.ndarray) -> float:
    """Hubert and Arabie 1985, over all pairs: (agreements − expected) / (their mean maximum − expected)."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    together_a = sum(a[i] == a[j] for i, j in pairs)
    together_b = sum(b[i] == b[j] for i, j in pairs)
    both = sum(a[i] == a[j] and b[i] == b[j] for i, j in pairs)
    expected = together_a * together_b / len(pairs)
    return float((both - expected) / ((together_a + together_b) / 2 - expected))


def test_adjusted_rand_index_leaves_outliers_and_unlabelled_images_out() -> None:
    rng = np.random.default_rng(6)
    labels = rng.integers(-1, 5, 80)
    truth = rng.integers(-2, 6, 80)
    kept = (labels >= 0) & (truth >= 0)
    agreement = adjusted_rand_index(PseudoLabels(labels), truth)
    assert agreement == pytest.approx(naive_adjusted_rand(labels[kept], truth[kept]))


def test_agreement_of_nothing_is_not_a_number() -> None:
    for labels in ([-1, -1, -1, -1], [-1, 0, -1, -1]):
        assert np.isnan(adjusted_rand_index(PseudoLabels(np.array(labels)), np.arange(4)))
    with pytest.raises(GenreidError, match="expected one each"):
        adjusted_rand_index(PseudoLabels(np.zeros(4, np.int64)), np.arange(5))


def test_too_few_clusters_is_one_clear_line() -> None:
    labels = PseudoLabels(np.array([0, 0, -1, -1, -1]))
    require_clusters(labels, 1)
    with pytest.raises(GenreidError) as caught:
        require_clusters(labels, 2)
    message = str(caught.value)
    assert message.startswith("1 clusters (3 outliers among 5 images): expected at least 2")
    assert "eps" in message and "min_samples" in message and "\n" not in message


def test_no_clusters_at_all() -> None:
    labels = PseudoLabels(np.full(3, -1))
    assert (labels.num_clusters, labels.num_outliers) == (0, 3)
    assert PseudoLabels(np.zeros(0, np.int64)).num_clusters == 0


def test_settings_have_no_defaults_and_refuse_the_impossible() -> None:
    fields = dataclasses.fields(PseudoLabelSettings)
    assert all(field.default is dataclasses.MISSING for field in fields)
    features = person_features(20, 8, 5, 0.5, seed=3)
    with pytest.raises(GenreidError, match="min_samples is 0"):
        cluster(features, dataclasses.replace(SETTINGS, min_samples=0))
