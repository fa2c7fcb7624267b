"""The k-reciprocal Jaccard distance as its formula reads, dense and with sets; and features to try it on."""

from __future__ import annotations

import numpy as np


def person_features(num: int, width: int, per_person: int, noise: float, seed: int) -> np.ndarray:
    """(num, width) float32 unit rows in groups of `per_person` around random centres, in shuffled order."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((-(-num // per_person), width))
    rows = centres[rng.permutation(num) // per_person] + noise * rng.standard_normal((num, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def naive_ranks(features: np.ndarray, k: int) -> np.ndarray:
    """(N, k): every image itself, then all others by falling similarity in float64, lower index first."""
    wide = features.astype(np.float64)
    similarity = wide @ wide.T
    np.fill_diagonal(similarity, np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k]


def reciprocal(ranks: np.ndarray, i: int, width: int) -> set[int]:
    """R(i, width)."""
    return {int(j) for j in ranks[i, :width] if i in ranks[j, :width]}


def naive_weights(
    distance: np.ndarray, ranks: np.ndarray, num_columns: int, num_half: int, k2: int
) -> np.ndarray:
    """V (N, N) float64 from all distances (N, N)."""
    num = len(distance)
    weights = np.zeros((num, num))
    for i in range(num):
        members = reciprocal(ranks, i, num_columns)
        expanded = set(members)
        for candidate in members:
            half = reciprocal(ranks, candidate, num_half)
            if len(half & members) > 2 / 3 * len(half):
                expanded |= half
        columns = sorted(expanded)
        weights[i, columns] = np.exp(-distance[i, columns])
        weights[i] /= weights[i].sum()
    return np.stack([weights[ranks[i, :k2]].mean(0) for i in range(num)])


def naive_jaccard(weights: np.ndarray) -> np.ndarray:
    """(N, N): 1 − Σ min / Σ max over columns, which is 1 − m / (2 − m) for rows that sum to 1."""
    result = np.empty((len(weights), len(weights)))
    for i, row in enumerate(weights):
        result[i] = 1 - np.minimum(row, weights).sum(1) / np.maximum(row, weights).sum(1)
    return result


def squared_distances(features: np.ndarray) -> np.ndarray:
    """(N, N) float64 squared Euclidean distances."""
    wide = features.astype(np.float64)
    return ((wide[:, None] - wide[None]) ** 2).sum(-1)
