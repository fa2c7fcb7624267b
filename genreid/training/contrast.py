"""What E_id learns from the second views: rotation contrast, prototype loss, mixup contrast.

Source: Chen et al., TPAMI 2023, sections 3.2 and 3.3; the choices where the released program is ambiguous
are settings, with METHOD's decision in params.yaml. B batch, N training images, P pseudo-identities, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genreid.clustering.memory import (
    ClusterMemory,
    InstanceMemory,
    Members,
    sample_negatives,
    sample_positives,
)
from genreid.losses import contrastive as losses
from genreid.losses.contrastive import NegativeQuery, cluster_nce, mixup_contrast, nce, prototype_loss
from genreid.training.mixing import Mix


@dataclass(frozen=True)
class ContrastSettings:
    """The contrastive half of `train_joint`.

    views: what the second view f_θ shows: `generated` (the rotated view x_θ), `augmented` (ordinary
    augmentation of x), `pasted` (x's person as it is, in another street) or `none`. street: where the
    persons of x_θ and x_mix stand, in the image's `own` (the paper) or in one of `other_cameras`. mixup:
    how x_mix comes to be: `d_mixup` (identity codes, painted by G), `f_mixup` (E_id's feature maps),
    `mixup` (pixels) or `none`. mixup_partner: whom an image is mixed with, a `random` one of the batch
    (the paper) or the `nearest` of another pseudo-identity. mixup_mesh: whom D-mixup paints, the image's
    `own` mesh (the paper) or the `rotated` one. memory: `instance` or `cluster`. rotation_weight,
    prototype_weight, mixup_weight: w_rot, w_id, w_mix. rotation_temperature: τ; prototype_temperature: τ_p.
    num_negatives: K. keep_old: share of a memory row that an update leaves. third_term_negatives: the
    embedding that scores the negatives of NCE(f→v_pos): `own` f, or `rotated` f_θ (the released program).
    """

    views: Literal["generated", "augmented", "pasted", "none"]
    street: Literal["own", "other_cameras"]
    mixup: Literal["d_mixup", "f_mixup", "mixup", "none"]
    mixup_partner: Literal["random", "nearest"]
    mixup_mesh: Literal["own", "rotated"]
    memory: Literal["instance", "cluster"]
    rotation_weight: float
    prototype_weight: float
    mixup_weight: float
    rotation_temperature: float
    prototype_temperature: float
    num_negatives: int
    keep_old: float
    third_term_negatives: NegativeQuery


@dataclass(frozen=True)
class Embeddings:
    """What E_id says of a batch, each (B, D) float32 unit rows: f, f_θ and f_mix, None where not used."""

    real: Tensor
    second: Tensor | None
    mixed: Tensor | None


@dataclass(frozen=True)
class Targets:
    """What a batch is contrasted with during one epoch.

    members: the epoch's pseudo-identities. prototypes: (P, D) float32 unit rows c_p, fixed during the epoch.
    bank: a row for each of the N images, or for each of the P clusters; moves with every step.
    """

    members: Members
    prototypes: Tensor
    bank: InstanceMemory | ClusterMemory

    def update(self, index: Tensor, embeddings: Tensor, keep_old: float) -> None:
        """The bank's step after the optimiser's: real images (B,) and their embeddings (B, D)."""
        by_cluster = isinstance(self.bank, ClusterMemory)
        rows = self.members.labels_of(index) if by_cluster else index
        self.bank.update(rows, embeddings, keep_old=keep_old)


def rotation_contrast(
    embeddings: Embeddings,
    index: Tensor,
    members: Members,
    memory: InstanceMemory,
    settings: ContrastSettings,
    rng: torch.Generator,
) -> Tensor:
    """L_rot = NCE(f_θ→v_own) + NCE(f_θ→v_pos) + NCE(f→v_pos); without a second view, the last term alone.

    index: (B,) positions in the memory. v_pos is a row of another image of the same pseudo-identity, the
    negatives are up to K rows of other pseudo-identities; outliers of the epoch are neither.
    """
    negatives = sample_negatives(members, index, settings.num_negatives, generator=rng)
    positive_rows = memory.rows[sample_positives(members, index, generator=rng)]
    bank = (memory.rows, negatives.index, negatives.mask, settings.rotation_temperature)
    if embeddings.second is None:
        return nce(embeddings.real, positive_rows, *bank)
    return losses.rotation_contrast(
        embeddings.real,
        embeddings.second,
        memory.rows[index],
        positive_rows,
        *bank,
        third_negatives=settings.third_term_negatives,
    )


def cluster_contrast(
    embeddings: Embeddings, target: Tensor, memory: ClusterMemory, settings: ContrastSettings
) -> Tensor:
    """L_rot with one slot a cluster in place of one row an image.

    v_own and v_pos are then the same slot, so NCE(f_θ→slot) counts once (METHOD, decisions): NCE(f_θ→slot)
    + NCE(f→slot), the slots of all other clusters being the negatives. target: (B,) pseudo-identity.
    """
    temperature = settings.rotation_temperature
    loss = cluster_nce(embeddings.real, memory.rows, target, temperature)
    if embeddings.second is not None:
        loss = loss + cluster_nce(embeddings.second, memory.rows, target, temperature)
    return loss


def contrast_losses(
    embeddings: Embeddings,
    index: Tensor,
    targets: Targets,
    mix: Mix,
    settings: ContrastSettings,
    rng: torch.Generator,
) -> dict[str, Tensor]:
    """The weighted terms w_rot·L_rot, w_id·L_id and, where identities are mixed, w_mix·L_mix.

    index: (B,) positions of the batch in the training set.
    """
    label, bank = targets.members.labels_of(index), targets.bank
    if isinstance(bank, ClusterMemory):
        rotation = cluster_contrast(embeddings, label, bank, settings)
    else:
        rotation = rotation_contrast(embeddings, index, targets.members, bank, settings, rng)
    prototypes, temperature = targets.prototypes, settings.prototype_temperature
    identity = prototype_loss(embeddings.real, prototypes, label, temperature)
    terms = {
        "rotation": settings.rotation_weight * rotation,
        "prototype": settings.prototype_weight * identity,
    }
    if embeddings.mixed is not None:
        other = label[mix.partner]
        mixed = mixup_contrast(embeddings.mixed, prototypes, label, other, mix.lam, temperature)
        terms["mixup"] = settings.mixup_weight * mixed
    return terms
