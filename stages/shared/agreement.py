"""How well pseudo-labels agree with true identities: for the curves, and out of the training code's reach."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from genreid.clustering.pseudo_labels import Agreement, PseudoLabels, adjusted_rand_index
from genreid.data.manifest import Manifest


def agreement_with(manifest: Manifest) -> Agreement:
    """A measure of pseudo-labels of the manifest's images; what it is made of stays in here.

    It gives nothing where there is nothing to compare: too few of the images have an identity.
    """

    def measure(labels: PseudoLabels) -> Mapping[str, float]:
        agreement = adjusted_rand_index(labels, manifest.person_id)
        return {"ari": agreement} if isfinite(agreement) else {}

    return measure
