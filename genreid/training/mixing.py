"""How the identities of a batch are mixed (Chen et al., TPAMI 2023, section 3.3; METHOD, D-mixup).

Shapes: B batch, P pseudo-identities, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.data.batch import Batch


@dataclass(frozen=True)
class Mix:
    """How the identities of a batch are mixed: one λ in [0.5, 1], with whom, and who is painted.

    partner: (B,) int64 positions in the batch, in the paper a permutation π. turned: whether mixtures are
    painted on the rotated mesh m_θ instead of the paper's m_0.
    """

    lam: float
    partner: Tensor
    turned: bool = False

    def of(self, values: Tensor) -> Tensor:
        """λ·v + (1−λ)·v_π for values (B, …): codes, pixels, feature maps or one-hot labels."""
        return self.lam * values + (1.0 - self.lam) * values[self.partner]

    def mesh_of(self, batch: Batch) -> Tensor:
        """The meshes (B, 1, H, W) that mixtures are painted on."""
        return batch.mesh_rotated if self.turned else batch.mesh


def draw_mix(num: int, alpha: float, rng: np.random.Generator, device: torch.device) -> Mix:
    """λ ~ Beta(α, α), λ ← max(λ, 1−λ), and a random permutation of the batch."""
    lam = float(rng.beta(alpha, alpha))
    return Mix(max(lam, 1.0 - lam), torch.from_numpy(rng.permutation(num)).to(device))


def nearest_others(label: Tensor, prototypes: Tensor) -> Tensor:
    """(B,) for each image the one of the batch whose pseudo-identity is the most similar other one.

    label: (B,) int64 pseudo-identities; prototypes: (P, D) unit rows. An image whose batch holds nobody else
    is its own partner; the first in the batch wins a tie.
    """
    rows = prototypes[label]
    similarity = (rows @ rows.T).masked_fill(label[:, None] == label[None, :], -torch.inf)
    nearest = similarity.argmax(dim=1)
    alone = similarity.amax(dim=1) == -torch.inf
    return torch.where(alone, torch.arange(len(label), device=label.device), nearest)
