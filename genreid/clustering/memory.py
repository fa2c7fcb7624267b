"""Memory banks: one unit row an image or a cluster, changed by explicit calls alone.

Source: Chen et al., TPAMI 2023 (GCL+, instance memory and rotation contrast); Dai et al. 2022, "Cluster
Contrast for Unsupervised Person Re-identification" (cluster memory). The papers' "momentum" is called
`keep_old` here: the share of the old row that stays.

Shapes: N images, P clusters, B batch, D embedding width, K negatives, M images that have a pseudo-label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F

from genreid.errors import GenreidError


class UnitMemory:
    """Unit rows (R, D) float32 that are read by the losses and changed by `update`.

    `rows` is the tensor itself, not a copy; no gradient flows into it.
    """

    def __init__(self, rows: torch.Tensor) -> None:
        """Start from `rows` (R, D), of any length: they are copied and normalised."""
        if rows.ndim != 2 or len(rows) == 0:
            raise GenreidError(
                f"a memory of shape {tuple(rows.shape)}: expected (rows, width), at least one row"
            )
        self.rows = F.normalize(rows.detach().float(), dim=1).contiguous()

    @classmethod
    def around(cls, rows: torch.Tensor) -> Self:
        """A memory that works on `rows` (R, D) itself, which must be float32 unit rows already.

        For rows kept from an interrupted run: normalising them again would change their last bits.
        """
        memory = cls.__new__(cls)
        memory.rows = rows
        return memory

    def update(self, index: torch.Tensor, embeddings: torch.Tensor, *, keep_old: float) -> None:
        """row ← normalise(keep_old·row + (1 − keep_old)·embedding), for the rows `index` (B,) names.

        embeddings: (B, D) unit rows; no gradient is kept. keep_old: 0.2 keeps 20 % of the old row and takes
        80 % of the new one. A row named several times is updated that often, in the order of the batch.
        """
        if not 0 <= keep_old <= 1:
            raise GenreidError(
                f"keep_old is {keep_old}: expected the share of the old row that stays, 0 to 1"
            )
        index = index.to(self.rows.device)
        fresh = embeddings.detach().to(self.rows.device, torch.float32)
        for turn in _turns(index):
            where = index[turn]
            self.rows[where] = F.normalize(keep_old * self.rows[where] + (1 - keep_old) * fresh[turn], dim=1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """What `load_state_dict` needs to go on exactly from here."""
        return {"rows": self.rows.clone()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over the rows of `state`, to the last bit. Raises GenreidError when their shape differs."""
        rows = state["rows"]
        if rows.shape != self.rows.shape:
            raise GenreidError(
                f"the saved memory has shape {tuple(rows.shape)}: expected {tuple(self.rows.shape)}; "
                "it belongs to other data or another encoder, start afresh"
            )
        self.rows.copy_(rows)


class InstanceMemory(UnitMemory):
    """One row an image: rows (N, D)."""

    @classmethod
    def empty(cls, num_images: int, width: int, device: torch.device) -> Self:
        """Rows of zeros, to be filled or loaded before use."""
        return cls.around(torch.zeros(num_images, width, device=device))

    def fill(self, embeddings: torch.Tensor) -> None:
        """Take the embeddings (N, D) of all images, unit rows."""
        self.rows.copy_(embeddings)

    def prototypes(self, labels: torch.Tensor) -> torch.Tensor:
        """(P, D) unit rows: the mean of the members' rows of every pseudo-identity, normalised.

        labels: (N,) 0..P−1, or −1 for outliers, which are left out.
        """
        return cluster_means(self.rows, labels)


class ClusterMemory(UnitMemory):
    """One row a cluster: rows (P, D), updated by cluster label."""


def cluster_means(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(P, D) unit rows: the normalised mean of the unit rows (N, D) of each label 0..P−1; −1 is left out."""
    labels = labels.to(rows.device)
    member = labels >= 0
    if not bool(member.any()):
        raise GenreidError("no image has a pseudo-label: expected a cluster; raise eps or lower min_samples")
    sums = rows.new_zeros((int(labels.max()) + 1, rows.shape[1]))
    # A sum has the direction of the mean. On a CPU index_add_ adds in order whatever the number of threads
    # (index_put_ with accumulate does not); on a GPU torch.use_deterministic_algorithms(True) makes it.
    sums.index_add_(0, labels[member], rows[member])
    return F.normalize(sums, dim=1)


@dataclass(frozen=True)
class Members:
    """Which images belong to which pseudo-identity, arranged for drawing. Made once an epoch.

    labels: (N,) int64, −1 for outliers. by_label: (M,) images with a pseudo-label, sorted by it, then by
    index. start: (P+1,) where each pseudo-identity starts in by_label. place: (N,) where each image stands
    in by_label; −1 for outliers.
    """

    labels: torch.Tensor
    by_label: torch.Tensor
    start: torch.Tensor
    place: torch.Tensor

    @classmethod
    def of(cls, labels: torch.Tensor | np.ndarray) -> Members:
        """Arrange the pseudo-labels (N,) of an epoch."""
        labels = torch.as_tensor(labels).long()
        clustered = torch.nonzero(labels >= 0)[:, 0]
        by_label = clustered[torch.argsort(labels[clustered], stable=True)]
        place = torch.full_like(labels, -1)
        place[by_label] = torch.arange(len(by_label), device=labels.device)
        counts = torch.bincount(labels[clustered])
        start = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
        return cls(labels, by_label, start, place)

    def labels_of(self, index: torch.Tensor) -> torch.Tensor:
        """(B,) the pseudo-labels of a batch. An outlier in a batch is a bug of its sampler."""
        labels = self.labels[index.to(self.labels.device)]
        assert bool((labels >= 0).all()), "an outlier came into a batch"
        return labels


@dataclass(frozen=True)
class NegativeSample:
    """Rows of other pseudo-identities: index (B, K') int64 into the memory, mask (B, K') bool.

    Where `mask` is False there was no further negative and `index` means nothing.
    """

    index: torch.Tensor
    mask: torch.Tensor


def sample_negatives(
    members: Members, index: torch.Tensor, num_negatives: int, *, generator: torch.Generator
) -> NegativeSample:
    """For each image of the batch, up to `num_negatives` images of other pseudo-identities.

    index: (B,) images of the batch. Each image draws for itself, uniformly without replacement, from all
    images that have a pseudo-label other than its own; outliers of the epoch are never drawn. An image with
    fewer such images takes them all. K' = min(num_negatives, M): when M images are no more than were asked
    for, they all stand in every row and the mask alone tells the negatives; nothing is drawn then.
    """
    own = members.labels_of(index)
    candidates = members.by_label
    other = members.labels[candidates] != own[:, None]
    if len(candidates) <= num_negatives:
        return NegativeSample(candidates.expand(len(own), -1), other)
    # The largest of independent uniform keys are a uniform draw without replacement; what is not to be
    # drawn gets a key below them all.
    keys = torch.rand(other.shape, generator=generator, device=generator.device).to(other.device)
    top = keys.masked_fill(~other, -1.0).topk(num_negatives, dim=1, sorted=False)
    return NegativeSample(candidates[top.indices], top.values >= 0)


def sample_positives(members: Members, index: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
    """For each image of the batch (B,), another image of its pseudo-identity: (B,) int64 into the memory.

    Uniform over the pseudo-identity's other images; an image that is alone in its own gets itself.
    """
    label = members.labels_of(index)
    first = members.start[label]
    others = members.start[label + 1] - first - 1
    # float64, so that the division into equal parts is even to within 2⁻⁵³.
    draw = torch.rand(len(label), generator=generator, device=generator.device, dtype=torch.float64)
    chosen = first + (draw.to(label.device) * others).long().clamp(max=(others - 1).clamp(min=0))
    own = members.place[index.to(label.device)]
    chosen += (chosen >= own) & (others > 0)
    return members.by_label[chosen]


def _turns(index: torch.Tensor) -> list[torch.Tensor]:
    """Positions of the batch, split so that no row comes twice in a turn and equal rows keep their order."""
    order = torch.argsort(index, stable=True)
    in_order = index[order]
    _, counts = torch.unique_consecutive(in_order, return_counts=True)
    first = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    turn = torch.empty_like(order)
    turn[order] = torch.arange(len(order), device=order.device) - first
    return [torch.nonzero(turn == t)[:, 0] for t in range(int(counts.max()) if len(counts) else 0)]
