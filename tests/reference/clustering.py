"""Pseudo-identities: dense k-reciprocal Jaccard distances (Zhong et al., CVPR 2017) and DBSCAN.

Shapes: N images, P pseudo-identities, D width.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.clustering.settings import PseudoLabelSettings


def without_camera_mean(features: Tensor, camera_id: np.ndarray) -> Tensor:
    """Unit rows (N, D) less the mean of their camera's rows, as unit rows; one that is its mean stays."""
    result = features.clone()
    for i, camera in enumerate(camera_id):
        rest = features[i] - features[camera_id == camera].mean(0)
        if rest.norm() >= 1e-6:
            result[i] = rest / rest.norm()
    return result


def pseudo_labels(
    features: np.ndarray | Tensor, settings: PseudoLabelSettings, rows_per_image: int = 1
) -> np.ndarray:
    """(N,) pseudo-identities 0 … P−1 of unit rows (N·R, D), R an image, −1 for outliers."""
    rows = np.asarray(features, np.float64)
    distance = jaccard_distances(rows, settings.k1, settings.k2, rows_per_image)
    return dbscan(distance <= settings.eps, settings.min_samples)


def jaccard_distances(rows: np.ndarray, k1: int, k2: int, rows_per_image: int = 1) -> np.ndarray:
    """(N, N). k1 columns of the neighbour table include the image itself, and so do k2; of R rows an image,
    R times as many."""
    k1, k2, num = k1 * rows_per_image, k2 * rows_per_image, len(rows)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, np.inf)
    ranks = np.argsort(-similarity, axis=1, kind="stable")
    np.fill_diagonal(similarity, 1.0)

    def reciprocal(i: int, k: int) -> set[int]:
        return {int(j) for j in ranks[i, :k] if i in ranks[j, :k]}

    weights = np.zeros((num, num))
    for i in range(num):
        near = reciprocal(i, k1)
        members = set(near)
        for j in near:
            half = reciprocal(j, round(k1 / 2) + 1)
            if len(half & near) > 2 / 3 * len(half):
                members |= half
        columns = sorted(members)
        weights[i, columns] = np.exp(-(2 - 2 * similarity[i, columns]))
        weights[i] /= weights[i].sum()
    expanded = np.stack([weights[ranks[i, :k2]].mean(0) for i in range(num)])
    if rows_per_image > 1:
        images = [range(i, i + rows_per_image) for i in range(0, num, rows_per_image)]
        expanded = np.array([[expanded[np.ix_(i, j)].sum() / rows_per_image for j in images] for i in images])
    return np.stack(
        [1 - np.minimum(row, expanded).sum(1) / np.maximum(row, expanded).sum(1) for row in expanded]
    )


def dbscan(near: np.ndarray, min_samples: int) -> np.ndarray:
    """(N,) labels; near: (N, N) bool, who is within eps of whom, oneself included.

    From every core that has no label yet a cluster grows over all that is near to it or to its other cores.
    """
    core = near.sum(1) >= min_samples
    labels = np.full(len(near), -1)
    for seed in np.flatnonzero(core):
        if labels[seed] >= 0:
            continue
        number, reached = labels.max() + 1, [seed]
        while reached:
            image = reached.pop()
            if labels[image] >= 0:
                continue
            labels[image] = number
            if core[image]:
                reached.extend(np.flatnonzero(near[image]))
    return labels


def prototypes_of(features: Tensor, labels: np.ndarray) -> Tensor:
    """(P, D): c_p, the mean of the unit rows (N, D) of its members, as a unit row."""
    return torch.stack([F.normalize(features[labels == p].mean(0), dim=0) for p in range(labels.max() + 1)])
