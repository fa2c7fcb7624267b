"""Contrastive losses: an embedding against rows of a memory or against prototypes.

Shapes: B batch, D embedding width, N memory rows, K negatives an image, P pseudo-identities. Embeddings,
memory rows and prototypes are unit rows, so a product is a cosine. Memory and prototypes carry no gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

NegativeQuery = Literal["own", "rotated"]


def negative_logits(
    queries: Tensor, memory: Tensor, negative_index: Tensor, negative_mask: Tensor | None, temperature: float
) -> Tensor:
    """Scores of each query against its negatives: (B,K), −inf where the mask says that there is none.

    queries (B,D); memory (N,D); negative_index (B,K) int64; negative_mask (B,K) bool, True for a negative,
    or None for all.

    One product with the whole memory, from which the scores are picked: (B,N) numbers. Picking memory rows
    first would copy (B,K,D), 1 GB at the paper's size, to save less time than the copy takes.
    """
    logits = (queries @ memory.detach().T / temperature).gather(1, negative_index)
    if negative_mask is not None:
        logits = logits.masked_fill(~negative_mask, -torch.inf)
    return logits


def nce_from_logits(positive: Tensor, negatives: Tensor) -> Tensor:
    """Mean over images of −log(e^positive / (e^positive + Σ e^negatives)); positive (B,), negatives (B,K);
    ().

    An image without a negative costs nothing.
    """
    logits = torch.cat([positive[:, None], negatives], dim=1)
    return (logits.logsumexp(dim=1) - positive).mean()


def nce(
    queries: Tensor,
    positive_rows: Tensor,
    memory: Tensor,
    negative_index: Tensor,
    negative_mask: Tensor | None,
    temperature: float,
) -> Tensor:
    """NCE(query → positive): cross-entropy of [positive, negatives]/τ with the positive as the class; ().

    positive_rows (B,D), the rest as in `negative_logits`. van den Oord et al. 2018, equation 4; METHOD,
    Stage: joint training, L_rot.
    """
    positive = (queries * positive_rows.detach()).sum(dim=1) / temperature
    return nce_from_logits(
        positive, negative_logits(queries, memory, negative_index, negative_mask, temperature)
    )


def rotation_contrast(
    embedding: Tensor,
    embedding_rotated: Tensor,
    own_rows: Tensor | None,
    positive_rows: Tensor,
    memory: Tensor,
    negative_index: Tensor,
    negative_mask: Tensor | None,
    temperature: float,
    third_negatives: NegativeQuery = "own",
) -> Tensor:
    """L_rot = NCE(f_θ→v_own) + NCE(f_θ→v_pos) + NCE(f→v_pos); () (GCL+, section 3.3; METHOD, L_rot).

    embedding f (B,D) of the real images; embedding_rotated f_θ (B,D) of their rotated views; own_rows v_own
    (B,D) the images' own memory rows; positive_rows v_pos (B,D); negatives as in `negative_logits`.

    With a cluster memory v_own and v_pos are the same slot, counted once: own_rows None leaves the first
    term out.
    Deviation (METHOD, Decisions): the third term's negatives are scored with f as its positive is;
    `third_negatives="rotated"` scores them with f_θ, as the reference program does.
    """
    positive_rows = positive_rows.detach()
    rotated = negative_logits(embedding_rotated, memory, negative_index, negative_mask, temperature)
    if third_negatives == "own":
        real = negative_logits(embedding, memory, negative_index, negative_mask, temperature)
    else:
        real = rotated
    loss = nce_from_logits((embedding_rotated * positive_rows).sum(dim=1) / temperature, rotated)
    loss = loss + nce_from_logits((embedding * positive_rows).sum(dim=1) / temperature, real)
    if own_rows is not None:
        own = (embedding_rotated * own_rows.detach()).sum(dim=1) / temperature
        loss = loss + nce_from_logits(own, rotated)
    return loss


def cluster_nce(embedding: Tensor, slots: Tensor, pseudo_label: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of f·Cᵀ/τ with the pseudo-identity as the class; () (Dai et al. 2022, equation 1).

    embedding f (B,D); slots C (P,D), unit rows, detached here; pseudo_label (B,) int64 in 0 … P−1.
    """
    return F.cross_entropy(embedding @ slots.detach().T / temperature, pseudo_label)


def prototype_loss(embedding: Tensor, prototypes: Tensor, pseudo_label: Tensor, temperature: float) -> Tensor:
    """L_id = CE(f·Cᵀ/τ_p, y); () (GCL+, section 3.3; METHOD, L_id). The form of `cluster_nce`, with the
    prototypes of an epoch in place of slots.

    Deviation (METHOD, Decisions): cosines and a temperature; the reference program has neither.
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
    """L_mix = soft CE(f_mix·Cᵀ/τ_p, λ·onehot(y) + (1−λ)·onehot(y_π)); () (GCL+, section 3.3; METHOD, L_mix).

    embedding_mix f_mix (B,D) of the mixed pictures; prototypes C (P,D), detached here; pseudo_label y and
    pseudo_label_other y_π (B,) int64; weight λ, one number or (B,).
    """
    logits = embedding_mix @ prototypes.detach().T / temperature
    first = F.cross_entropy(logits, pseudo_label, reduction="none")
    second = F.cross_entropy(logits, pseudo_label_other, reduction="none")
    return (weight * first + (1 - weight) * second).mean()
