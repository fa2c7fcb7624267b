"""Who is mixed with whom, by how much and on which body: the draws behind x_mix.

Source: docs/method.md, Joint training; Chen et al., TPAMI 2023. B images, P pseudo-identities, D the width of
an embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from genreid.data.batch import Mix
from genreid.training.settings.joint import JointSettings
from genreid.warping.mixing import GARMENTS


def draw_mix(num: int, alpha: float, rng: np.random.Generator) -> Mix:
    """λ ~ Beta(α, α), λ ← max(λ, 1−λ), and a random permutation of the batch."""
    lam = float(rng.beta(alpha, alpha))
    return Mix(max(lam, 1.0 - lam), torch.from_numpy(rng.permutation(num)))


def nearest_others(label: Tensor, prototypes: Tensor) -> Tensor:
    """(B,) for each image the one of the batch whose pseudo-identity is the most similar other one.

    label: (B,) int64 pseudo-identities; prototypes: (P, D) unit rows. An image whose batch holds nobody else
    is its own partner; the first in the batch wins a tie.
    """
    people, place = label.unique(return_inverse=True)
    rows = prototypes[people]
    # Once for each pair of people: a product of equal rows may differ in its last bit by where they stand.
    similarity = (rows @ rows.T)[place][:, place].masked_fill(label[:, None] == label[None, :], -torch.inf)
    nearest = similarity.argmax(dim=1)
    alone = similarity.amax(dim=1) == -torch.inf
    return torch.where(alone, torch.arange(len(label), device=label.device), nearest)


Mixing = Callable[[np.ndarray, np.random.Generator], Mix]
"""Positions (B,) of a batch's images → how they are mixed."""


def mixing_of(labels: Tensor, prototypes: Tensor, settings: JointSettings) -> Mixing:
    """How the batches of an epoch are mixed, as settings define it; all on the CPU.

    labels: (N,) int64 pseudo-identities of all images; prototypes: (P, D) unit rows.
    """
    contrast = settings.contrast

    def draw(index: np.ndarray, rng: np.random.Generator) -> Mix:
        mix = draw_mix(len(index), settings.generation.mixup_alpha, rng)
        # Beyond the paper: the nearest partner, the turned mesh, and mixtures on the body.
        if contrast.mixup_partner == "nearest":
            mix = replace(mix, partner=nearest_others(labels[torch.from_numpy(index)], prototypes))
        if contrast.mixup == "body":
            mix = replace(mix, shares=(mix.lam,) * len(index))
        if contrast.mixup == "garments":
            mix = replace(mix, shares=tuple(GARMENTS[i] for i in rng.integers(0, 2, len(index))))
        return replace(mix, turned=contrast.mixup_mesh == "rotated")

    return draw
