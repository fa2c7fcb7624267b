"""Pseudo-identities: DBSCAN on the sparse Jaccard graph.

Source: Ester et al., KDD 1996 (DBSCAN), on the distance of `jaccard.py` with k1 columns including the
image itself, as SpCL (Ge et al., NeurIPS 2020) and its successors cluster person crops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from genreid.clustering.cameras import without_camera_mean
from genreid.clustering.jaccard import jaccard_graph
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.similarity import unit_rows
from genreid.errors import GenreidError

OUTLIER = -1


@dataclass(frozen=True)
class PseudoLabels:
    """labels: (N,) int64, 0..P−1, or −1 for an outlier. Numbered by each cluster's first core image."""

    labels: np.ndarray

    @property
    def num_clusters(self) -> int:
        """P."""
        return int(self.labels.max(initial=OUTLIER)) + 1

    @property
    def num_outliers(self) -> int:
        """Images that belong to no cluster."""
        return int(np.count_nonzero(self.labels == OUTLIER))

    def figures(self, agreement: Agreement) -> dict[str, float]:
        """What an epoch's clustering has to tell."""
        return {"clusters": self.num_clusters, "outliers": self.num_outliers, **agreement(self)}


Agreement = Callable[[PseudoLabels], Mapping[str, float]]
"""Measures how well pseudo-labels agree with identities that training code itself cannot reach."""


def cluster(
    features: np.ndarray | torch.Tensor,
    settings: PseudoLabelSettings,
    centred_on: np.ndarray | None = None,
    *,
    rows_per_image: int = 1,
) -> PseudoLabels:
    """Pseudo-identities of N images from their (N, D) float32 unit rows.

    centred_on: (N,) camera of each row, where its camera's mean is to be left out first; else None.
    rows_per_image: R, beyond the literature: an image and views of it, whose rows stand together, (N·R, D),
        each find neighbours of their own, and share them.

    The labels are those that scikit-learn's DBSCAN gives on the dense float32 matrix of the Jaccard
    distances. k1 is limited to N. Raises GenreidError for settings that are impossible and for features
    that are not finite unit rows; whether the clusters are enough is for `require_clusters` to say.
    """
    if centred_on is not None:
        features = without_camera_mean(torch.as_tensor(features), centred_on)
    rows = unit_rows(features)
    neighbours = nearest_neighbours(features, settings.k1 * rows_per_image, method=settings.method)
    k1, k2, eps = settings.k1, settings.k2, settings.eps
    graph = jaccard_graph(rows, neighbours, k1=k1, k2=k2, eps=eps, rows_per_image=rows_per_image)
    return dbscan(graph, settings.min_samples)


def dbscan(graph: csr_array, min_samples: int) -> PseudoLabels:
    """DBSCAN given the neighbours: `graph` (N, N) holds the pairs of different images within eps.

    graph: symmetric, without a diagonal; its values do not matter. An image with at least `min_samples`
    images within eps, itself included, is a core. Clusters are the connected cores, in the order of
    their first core; an image that is no core but touches some joins the lowest of their clusters. These are
    exactly scikit-learn's labels, which also visits images in order and grows one cluster at a time.
    """
    if min_samples < 1:
        raise GenreidError(f"min_samples is {min_samples}: expected at least 1; set `min_samples` to 4")
    degree = np.diff(graph.indptr)
    core = degree + 1 >= min_samples
    row = np.repeat(np.arange(len(degree), dtype=np.int32), degree)
    column = graph.indices
    labels = np.full(len(degree), OUTLIER, np.int64)
    labels[core] = _number_components(row, column, core)[core]

    touching = ~core[row] & core[column]
    lowest = np.full(len(degree), len(degree), np.int64)
    np.minimum.at(lowest, row[touching], labels[column[touching]])
    border = lowest < len(degree)
    labels[border] = lowest[border]
    return PseudoLabels(labels)


def _number_components(row: np.ndarray, column: np.ndarray, core: np.ndarray) -> np.ndarray:
    """(N,) the number of each core's component, components in the order of their first core."""
    between = core[row] & core[column]
    ones = np.ones(np.count_nonzero(between), np.int8)
    links = csr_array((ones, (row[between], column[between])), shape=(len(core), len(core)))
    _, component = connected_components(links, directed=False)
    _, first, inverse = np.unique(component[core], return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    number = np.full(len(core), OUTLIER, np.int64)
    number[core] = order[inverse]
    return number


def adjusted_rand_index(labels: PseudoLabels, truth: np.ndarray) -> float:
    """Agreement with the true identities (N,), for measuring only: nothing may be trained on it.

    1 for equal partitions, about 0 for chance. Outliers and images without a true identity (negative) are
    left out. NaN when fewer than two images are left, since no partition can then be compared.
    """
    from sklearn.metrics import adjusted_rand_score

    truth = np.asarray(truth)
    if truth.shape != labels.labels.shape:
        raise GenreidError(
            f"{truth.shape} true identities for {labels.labels.shape} pseudo-labels: expected one each; "
            "take the identities of the images that were clustered"
        )
    compared = (labels.labels != OUTLIER) & (truth >= 0)
    if np.count_nonzero(compared) < 2:
        return np.nan
    return float(adjusted_rand_score(truth[compared], labels.labels[compared]))


def require_clusters(labels: PseudoLabels, minimum: int) -> None:
    """Raise GenreidError, with what may help, when there are fewer than `minimum` clusters to train on."""
    if labels.num_clusters < minimum:
        num = len(labels.labels)
        raise GenreidError(
            f"{labels.num_clusters} clusters ({labels.num_outliers} outliers among {num} images): expected "
            f"at least {minimum} pseudo-identities to learn from; if most images are outliers raise eps or "
            "lower min_samples, if they are in one cluster lower eps, or start from an encoder trained longer"
        )
