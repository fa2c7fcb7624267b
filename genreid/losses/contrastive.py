"""Contrastive losses: an embedding against rows of a memory or against prototypes.

Shapes: B batch, D embedding width, N memory rows, K negatives an image, P pseudo-identities. Embeddings,
memory rows and prototypes are unit rows, so a product is a cosine. Memory and prototypes carry no gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.losses.settings import NegativeQuery


@dataclass(frozen=True)
class MemoryRows:
    """The rows of a memory that a batch is drawn to and pushed away from.

    memory V: (N,D). own, positive: (B,) int64, the places of v_own and v_pos in it; with a memory of clusters
    they are the same slot, counted once: own is None. negatives: (B,K) int64, places of rows of other
    pseudo-identities; negative_mask: (B,K) bool, False where there is none.
    """

    memory: Tensor
    own: Tensor | None
    positive: Tensor
    negatives: Tensor
    negative_mask: Tensor


def rotation_contrast(
    embedding: Tensor,
    second: Tensor | None,
    rows: MemoryRows,
    temperature: float,
    third_negatives: NegativeQuery = "own",
) -> Tensor:
    """L_rot = NCE(f_θ→v_own) + NCE(f_θ→v_pos) + NCE(f→v_pos); () (GCL+; docs/method.md, Joint training).

    embedding f (B,D) of the real images; second f_θ (B,D) of their second views, None where there are none:
    the last term alone is left, as the first one is left out with a memory of clusters.

    Deviation (docs/method.md, Decisions): the third term's negatives are scored with f as its positive is;
    `third_negatives="rotated"` scores them with f_θ, as the reference program does.
    """
    memory = rows.memory.detach()
    v_pos = memory[rows.positive]

    def scores(queries: Tensor) -> Tensor:
        return negative_logits(queries, memory, rows.negatives, rows.negative_mask, temperature)

    if second is None:
        return nce(embedding, v_pos, scores(embedding), temperature)
    against = scores(second)
    third = against if third_negatives == "rotated" else scores(embedding)
    loss = nce(second, v_pos, against, temperature) + nce(embedding, v_pos, third, temperature)
    return loss if rows.own is None else loss + nce(second, memory[rows.own], against, temperature)


def nce(queries: Tensor, positive_rows: Tensor, negative_scores: Tensor, temperature: float) -> Tensor:
    """NCE(query → positive): cross-entropy of [positive, negatives]/τ with the positive as the class; ().

    queries, positive_rows (B,D); negative_scores (B,K) as `negative_logits` gives them. An image without a
    negative costs nothing. van den Oord et al. 2018, equation 4; docs/method.md, Joint training.
    """
    positive = (queries * positive_rows).sum(dim=1) / temperature
    logits = torch.cat([positive[:, None], negative_scores], dim=1)
    return (logits.logsumexp(dim=1) - positive).mean()


def negative_logits(
    queries: Tensor, memory: Tensor, negatives: Tensor, negative_mask: Tensor, temperature: float
) -> Tensor:
    """Scores of each query against its negatives: (B,K), −inf where the mask says that there is none.

    One product with the whole memory, from which the scores are picked: (B,N) numbers. Picking memory rows
    first would copy (B,K,D), 1 GB at the paper's size, to save less time than the copy takes.
    """
    logits = (queries @ memory.T / temperature).gather(1, negatives)
    return logits.masked_fill(~negative_mask, -torch.inf)


def cluster_nce(embedding: Tensor, slots: Tensor, pseudo_label: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of f·Cᵀ/τ with the pseudo-identity as the class; () (Dai et al. 2022, equation 1).

    embedding f (B,D); slots C (P,D), unit rows, detached here; pseudo_label (B,) int64 in 0 … P−1.
    """
    return F.cross_entropy(embedding @ slots.detach().T / temperature, pseudo_label)


def prototype_loss(embedding: Tensor, prototypes: Tensor, pseudo_label: Tensor, temperature: float) -> Tensor:
    """L_id = CE(f·Cᵀ/τ_p, y); () (GCL+; docs/method.md, Joint training). The form of `cluster_nce`,
    with the prototypes of an epoch in place of slots.

    Deviation (docs/method.md, Decisions): cosines and a temperature; the reference program has neither.
    """
    return cluster_nce(embedding, prototypes, pseudo_label, temperature)


def mixup_contrast(
    embedding_mix: Tensor,
    prototypes: Tensor,
    pseudo_label: Tensor,
    pseudo_label_other: Tensor,
    weight: float | Tensor,
    temperature: float,
) -> Tensor:
    """L_mix = soft CE(f_mix·Cᵀ/τ_p, λ·onehot(y) + (1−λ)·onehot(y_π)); () (GCL+; docs/method.md, Joint
    training).

    embedding_mix f_mix (B,D) of the mixed pictures; prototypes C (P,D), detached here; pseudo_label y and
    pseudo_label_other y_π (B,) int64; weight λ, one number or (B,).
    """
    logits = embedding_mix @ prototypes.detach().T / temperature
    first = F.cross_entropy(logits, pseudo_label, reduction="none")
    second = F.cross_entropy(logits, pseudo_label_other, reduction="none")
    return (weight * first + (1 - weight) * second).mean()
