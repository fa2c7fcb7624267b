"""How fast rows are clustered on this machine."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from genreid.clustering.pseudo_labels import cluster
from genreid.clustering.settings import PseudoLabelSettings
from genreid.timing import least_seconds_of

_NUM_TIMED = 1024


def seconds_a_pair(settings: PseudoLabelSettings, width: int) -> float:
    """Seconds for each pair of N rows (N, D), of which an exact search compares N²; an approximate one takes
    less. D is the `width`; the rows timed are random."""
    rows = F.normalize(torch.randn(_NUM_TIMED, width, generator=torch.Generator().manual_seed(0)), dim=1)
    cluster(rows[:64], settings)  # the first time compiles
    return least_seconds_of(lambda: cluster(rows, settings)) / _NUM_TIMED**2
