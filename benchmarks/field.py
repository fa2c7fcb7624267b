"""The same work as the field's public programs do it: dense matrices, and Python loops over images.

Written anew from the formulas of Zhong et al. (CVPR 2017) and of the Market-1501 protocol, in the way that is
usual: one N×N array after another, a loop over rows, scikit-learn for DBSCAN and for average precision.

Shapes: N images, Q queries, G gallery images, D embedding width, k columns of the neighbour table.
"""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
from sklearn.cluster import DBSCAN
from sklearn.metrics import average_precision_score

Distance = Callable[[int, np.ndarray], np.ndarray]
"""Distances of one image to those at some positions."""


def pseudo_labels(features: np.ndarray, *, k1: int, k2: int, eps: float, min_samples: int) -> np.ndarray:
    """(N,) labels of DBSCAN on the dense Jaccard distance of (N, D) float32 unit rows."""
    ranks = faiss.knn(features, features, k1, metric=faiss.METRIC_INNER_PRODUCT)[1]

    def distance(i: int, others: np.ndarray) -> np.ndarray:
        return 2 - 2 * features[i] @ features[others].T

    weights = reciprocal_weights(ranks, distance, k1, round(k1 / 2) + 1, k2)
    jaccard = jaccard_distance(weights, len(weights))
    labels: np.ndarray = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit_predict(jaccard)
    return labels


def rerank(
    queries: np.ndarray, gallery: np.ndarray, *, k1: int, k2: int, original_weight: float
) -> np.ndarray:
    """(Q, G) re-ranked distances of unit rows (Q, D) and (G, D)."""
    features = np.concatenate((queries, gallery))
    original = np.maximum(2 - 2 * features @ features.T, 0)
    original /= original.max(axis=1, keepdims=True)
    ranks = np.argsort(original, axis=1)[:, : k1 + 1].copy()
    weights = reciprocal_weights(ranks, lambda i, others: original[i, others], k1 + 1, round(k1 / 2) + 1, k2)
    jaccard = jaccard_distance(weights, len(queries))
    mixed = (1 - original_weight) * jaccard + original_weight * original[: len(queries)]
    final: np.ndarray = mixed[:, len(queries) :]
    return final


def reciprocal_weights(ranks: np.ndarray, distance: Distance, k: int, half: int, k2: int) -> np.ndarray:
    """(N, N) float32: Gaussian weights of the expanded k-reciprocal sets, averaged over k2 neighbours."""
    num = len(ranks)
    weights = np.zeros((num, num), np.float32)
    for i in range(num):
        members = _reciprocal(ranks, i, k)
        expanded = members
        for candidate in members:
            wider = _reciprocal(ranks, candidate, half)
            if len(np.intersect1d(wider, members)) > 2 / 3 * len(wider):
                expanded = np.append(expanded, wider)
        expanded = np.unique(expanded)
        nearness = np.exp(-distance(i, expanded))
        weights[i, expanded] = nearness / nearness.sum()
    if k2 == 1:
        return weights
    averaged = np.zeros_like(weights)
    for i in range(num):
        averaged[i] = weights[ranks[i, :k2]].mean(axis=0)
    return averaged


def jaccard_distance(weights: np.ndarray, num_rows: int) -> np.ndarray:
    """(num_rows, N) float32 distances of the first rows of (N, N) weights to all."""
    num = len(weights)
    having = [np.where(weights[:, column] != 0)[0] for column in range(num)]
    result = np.zeros((num_rows, num), np.float32)
    for i in range(num_rows):
        shared = np.zeros(num, np.float32)
        for column in np.where(weights[i] != 0)[0]:
            images = having[column]
            shared[images] += np.minimum(weights[i, column], weights[images, column])
        result[i] = 1 - shared / (2 - shared)
    result[result < 0] = 0
    return result


def mean_average_precision(
    distances: np.ndarray,
    query_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_ids: np.ndarray,
    gallery_cameras: np.ndarray,
    max_rank: int,
) -> tuple[float, np.ndarray]:
    """mAP and CMC (max_rank,) from distances (Q, G): the whole gallery sorted for every query."""
    order = np.argsort(distances, axis=1)
    precisions, hits = [], np.zeros(max_rank)
    for q in range(len(distances)):
        ids, cameras = gallery_ids[order[q]], gallery_cameras[order[q]]
        valid = (ids != query_ids[q]) | (cameras != query_cameras[q])
        right = (ids == query_ids[q])[valid]
        if not right.any():
            continue
        precisions.append(average_precision_score(right, -distances[q][order[q]][valid]))
        first = np.where(right)[0][0]
        if first < max_rank:
            hits[first:] += 1
    return float(np.mean(precisions)), hits / len(precisions)


def _reciprocal(ranks: np.ndarray, i: int, k: int) -> np.ndarray:
    forward = ranks[i, :k]
    backward = ranks[forward, :k]
    found: np.ndarray = forward[np.where(backward == i)[0]]
    return found
