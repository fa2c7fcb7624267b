"""The rows that joint training contrasts its batches with (docs/method.md, Joint training).

Shapes: N images, P clusters, B batch, D embedding width, K negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genreid.clustering.memory import (
    ClusterMemory,
    InstanceMemory,
    Members,
    sample_negatives,
    sample_positives,
)
from genreid.losses.contrastive import MemoryRows
from genreid.training.cameras import CameraContrast


@dataclass(frozen=True)
class Targets:
    """What the batches of one epoch are contrasted with.

    members: the epoch's pseudo-identities. prototypes: (P, D) float32 unit rows c_p, fixed during the epoch.
    bank: a row for each of the N images, or for each of the P clusters; moves with every step. cameras: the
    contrast with proxies of each camera, whose memory moves with it.
    """

    members: Members
    prototypes: Tensor
    bank: InstanceMemory | ClusterMemory
    cameras: CameraContrast | None = None

    def draw(self, index: Tensor, num_negatives: int, *, generator: torch.Generator) -> MemoryRows:
        """The rows of the bank that the images of a batch (B,) are drawn to and pushed away from.

        In a bank of images v_pos is a row of another image of the pseudo-identity, and the negatives are up
        to `num_negatives` rows of others; in one of clusters, the own slot and all others.
        """
        rows = self.bank.rows
        if isinstance(self.bank, ClusterMemory):
            label = self.members.labels_of(index)
            slots = torch.arange(len(rows), device=label.device)
            return MemoryRows(rows, None, label, slots.expand(len(label), -1), slots != label[:, None])
        negatives = sample_negatives(self.members, index, num_negatives, generator=generator)
        positive = sample_positives(self.members, index, generator=generator)
        return MemoryRows(rows, index, positive, negatives.index, negatives.mask)

    def update(self, index: Tensor, embeddings: Tensor, *, keep_old: float) -> None:
        """The bank's step after the optimiser's: real images (B,) and their embeddings (B, D)."""
        by_cluster = isinstance(self.bank, ClusterMemory)
        rows = self.members.labels_of(index) if by_cluster else index
        self.bank.update(rows, embeddings, keep_old=keep_old)
        if self.cameras is not None:
            self.cameras.update(index, embeddings, keep_old=keep_old)
