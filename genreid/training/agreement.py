"""What an epoch's pseudo-labels come to. Apart from `run`, so that only what clusters needs clustering."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from genreid.clustering.pseudo_labels import PseudoLabels

Agreement = Callable[[PseudoLabels], Mapping[str, float]]
"""Measures pseudo-labels against identities that the training code itself cannot reach."""


def cluster_figures(labels: PseudoLabels, agreement: Agreement) -> dict[str, float]:
    """What an epoch's clustering has to tell."""
    return {"clusters": labels.num_clusters, "outliers": labels.num_outliers, **agreement(labels)}
