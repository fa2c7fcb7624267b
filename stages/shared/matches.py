"""What similarities say of whether two images are of one person: kept by training, measured by `evaluate`.

Beyond the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from genreid.clustering.cameras import without_camera_mean
from genreid.clustering.pseudo_labels import Agreement, PseudoLabels
from genreid.data.images import ImageSet
from genreid.data.settings import WayName
from genreid.data.ways import Look, looks
from genreid.errors import GenreidError
from genreid.evaluation.matches import MatchCurve, MatchCurves, Source, curve_name, drawn_persons, match_curve
from genreid.models.embedding import embed_mean
from genreid.models.encoder import IdentityEncoder
from stages.shared.run import StageRun

MEASURED = "matches.json"
"""What `evaluate` measures, below its plots."""
_WAYS: tuple[WayName, ...] = ("image", "mirror")
"""Those that need no body."""
_MOST_IMAGES = 2048
"""Embedded once more when training has ended: some seconds."""


class LastLabels:
    """An `Agreement` that keeps the pseudo-identities of the last epoch."""

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self.labels: PseudoLabels | None = None

    def __call__(self, labels: PseudoLabels) -> Mapping[str, float]:
        self.labels = labels
        return self._agreement(labels)


def estimated_matches(
    run: StageRun[Any], encoder: IdentityEncoder, images: ImageSet, labels: PseudoLabels | None
) -> dict[str, Any] | None:
    """The curves of an encoder by the pseudo-identities that its last epoch learnt from, as plain types for
    its checkpoint: no identity is asked for. None where there are none, or no pair of them.

    Outliers are left out; of many images, some clusters are taken.
    """
    if labels is None:
        return None
    seed = run.settings.seed
    chosen = drawn_persons(labels.labels, _MOST_IMAGES, seed=seed)
    if not len(chosen):
        return None
    person, camera = labels.labels[chosen], images.camera_id[chosen]
    curves: MatchCurves = {}
    for way in _WAYS:
        looked = [_at(look, chosen) for look in looks(way, images)]
        batch = run.settings.embed_batch_size
        rows = embed_mean(encoder, looked, len(chosen), batch, run.device, run.tracker)
        curves |= curves_of(way, rows, person, camera, "pseudo-identities", seed=seed)
    return plain_curves(curves) or None


def curves_of(
    way: WayName, rows: torch.Tensor, person: np.ndarray, camera: np.ndarray, source: Source, *, seed: int
) -> MatchCurves:
    """The curve of embeddings (N, D) that were made in this way, and, of two cameras or more, that of the
    same less the means of their cameras; nothing where there is no pair of one kind."""
    found = {curve_name(way, False): match_curve(rows.numpy(), person, camera, source, seed=seed)}
    if len(np.unique(camera)) > 1:
        centred = without_camera_mean(rows, camera).numpy()
        found[curve_name(way, True)] = match_curve(centred, person, camera, source, seed=seed)
    return {name: curve for name, curve in found.items() if curve is not None}


def plain_curves(curves: MatchCurves) -> dict[str, Any]:
    """Plain types, for a file."""
    return {name: curve.as_plain() for name, curve in curves.items()}


def curves_from(values: Mapping[str, Any] | None, place: str, remedy: str) -> MatchCurves:
    """What `plain_curves` gave; nothing of nothing. place: the file. Raises GenreidError."""
    if not isinstance(values, Mapping | None):
        raise GenreidError(f"{place}: its curves of matches are no table; {remedy}")
    return {name: MatchCurve.from_plain(one, place, remedy) for name, one in (values or {}).items()}


def _at(look: Look, chosen: np.ndarray) -> Callable[[np.ndarray], torch.Tensor]:
    return lambda index: look(chosen[index])
