"""What E_id learns from second views and mixtures, and the memory that it is held against.

Shapes: B batch, N images, P pseudo-identities, D width. All embeddings, rows and prototypes are unit rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.training.settings.joint import ContrastSettings


@dataclass(frozen=True)
class Mix:
    """λ·v + (1−λ)·v_π; λ is one number, or (B, 1)."""

    weight: float | Tensor
    partner: list[int]

    def of(self, values: Tensor) -> Tensor:
        return self.weight * values + (1 - self.weight) * values[self.partner]


def draw_mix(num: int, alpha: float, rng: np.random.Generator) -> Mix:
    """λ ~ Beta(α, α), λ ← max(λ, 1−λ); π a permutation of the batch."""
    weight = rng.beta(alpha, alpha)
    return Mix(max(weight, 1 - weight), rng.permutation(num).tolist())


def nearest_partners(labels: np.ndarray, prototypes: Tensor) -> list[int]:
    """For each image of a batch, labels (B,), the one whose prototype is the nearest other one."""
    partners = []
    for i, label in enumerate(labels):
        others = [j for j, other in enumerate(labels) if other != label]
        nearness = [float(prototypes[label] @ prototypes[labels[j]]) for j in others]
        partners.append(others[int(np.argmax(nearness))] if others else i)
    return partners


def another_image(image: int, labels: np.ndarray, draw: float) -> int:
    """Of the other images of `image`'s pseudo-identity the one that `draw`, in [0, 1), points at."""
    others = [j for j in np.flatnonzero(labels == labels[image]) if j != image]
    return int(others[int(draw * len(others))]) if others else image


def draw_positives(index: Tensor, labels: np.ndarray, draws: torch.Generator) -> list[int]:
    """(B,) v_pos: for each image at `index` another one of its pseudo-identity, or itself."""
    numbers = torch.rand(len(index), generator=draws, dtype=torch.float64).tolist()
    return [another_image(int(i), labels, number) for i, number in zip(index, numbers, strict=True)]


def draw_negatives(index: Tensor, labels: np.ndarray, most: int, draws: torch.Generator) -> list[list[int]]:
    """For each image at `index` up to `most` images of other pseudo-identities; outliers are never drawn.

    Every image has a random number for each image of all pseudo-identities, in their order; the largest
    numbers win. Nothing is drawn where all of these images are no more than were asked for.
    """
    clustered = np.concatenate([np.flatnonzero(labels == p) for p in range(labels.max() + 1)])
    keys = np.zeros((len(index), len(clustered)))
    if len(clustered) > most:
        keys = torch.rand(len(index), len(clustered), generator=draws).numpy()
    chosen = []
    for i, own in zip(index.tolist(), keys, strict=True):
        ranked = clustered[np.argsort(-own)]
        chosen.append(ranked[labels[ranked] != labels[i]][:most].tolist())
    return chosen


def nce(positive: Tensor, negatives: Tensor) -> Tensor:
    """Cross-entropy of [positive, negatives] with the positive as the class; scores () and (K,)."""
    return -torch.cat([positive[None], negatives]).log_softmax(0)[0]


def rotation_contrast(
    f: Tensor,
    f_second: Tensor | None,
    index: Tensor,
    labels: np.ndarray,
    memory: Tensor,
    settings: ContrastSettings,
    draws: torch.Generator,
) -> Tensor:
    """L_rot = NCE(f_θ→v_own) + NCE(f_θ→v_pos) + NCE(f→v_pos); the last one alone without second views."""
    negatives = draw_negatives(index, labels, settings.num_negatives, draws)
    positives = draw_positives(index, labels, draws)
    total = f.new_zeros(())
    for i, own in enumerate(index.tolist()):
        v_own, v_pos, others = memory[own], memory[positives[i]], memory[negatives[i]]

        def scores(query: Tensor, rows: Tensor) -> Tensor:
            return rows @ query / settings.rotation_temperature

        if f_second is not None:
            total = total + nce(scores(f_second[i], v_own), scores(f_second[i], others))
            total = total + nce(scores(f_second[i], v_pos), scores(f_second[i], others))
        by = f_second[i] if f_second is not None and settings.third_term_negatives == "rotated" else f[i]
        total = total + nce(scores(f[i], v_pos), scores(by, others))
    return total / len(index)


def cluster_contrast(f: Tensor, f_second: Tensor | None, own: Tensor, slots: Tensor, tau: float) -> Tensor:
    """L_rot where v_own and v_pos are the slot of the image's cluster: NCE(f→slot) + NCE(f_θ→slot)."""
    loss = F.cross_entropy(f @ slots.T / tau, own)
    return loss if f_second is None else loss + F.cross_entropy(f_second @ slots.T / tau, own)


def contrast_losses(
    f: Tensor,
    f_second: Tensor | None,
    f_mix: Tensor | None,
    mix: Mix,
    index: Tensor,
    labels: np.ndarray,
    prototypes: Tensor,
    memory: Tensor,
    settings: ContrastSettings,
    draws: torch.Generator,
) -> dict[str, Tensor]:
    """w_rot·L_rot, w_id·L_id and w_mix·L_mix. memory: a row for each image, or for each pseudo-identity."""
    y = torch.from_numpy(labels)[index]
    if settings.memory == "instance":
        rotation = rotation_contrast(f, f_second, index, labels, memory, settings, draws)
    else:
        rotation = cluster_contrast(f, f_second, y, memory, settings.rotation_temperature)
    losses = {
        "rotation": settings.rotation_weight * rotation,
        "prototype": settings.prototype_weight
        * F.cross_entropy(f @ prototypes.T / settings.prototype_temperature, y),
    }
    if f_mix is not None:
        between = mix.of(F.one_hot(y, len(prototypes)).float())
        says = (f_mix @ prototypes.T / settings.prototype_temperature).log_softmax(1)
        losses["mixup"] = settings.mixup_weight * -(between * says).sum(1).mean()
    return losses


def update_memory(memory: Tensor, rows: list[int], f: Tensor, keep_old: float) -> None:
    """v ← normalise(α·v + (1−α)·f), image by image."""
    for row, embedding in zip(rows, f.detach(), strict=True):
        memory[row] = F.normalize(keep_old * memory[row] + (1 - keep_old) * embedding, dim=0)
