"""Contrastive losses against NumPy loops; where gradients go."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.losses.contrastive import (
    MemoryRows,
    cluster_nce,
    mixup_contrast,
    nce,
    negative_logits,
    prototype_loss,
    rotation_contrast,
)

B, D, N, K, P = 5, 7, 20, 6, 4
TAU = 0.3


def _unit(seed: int, rows: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, D, generator=rng, dtype=torch.float64), dim=1)


def _negatives(seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    index = torch.stack([torch.randperm(N, generator=rng)[:K] for _ in range(B)])
    mask = torch.rand(B, K, generator=rng) < 0.7
    mask[0] = False
    return index, mask


def _loop_nce(
    positive_query: np.ndarray,
    negative_query: np.ndarray,
    positive: np.ndarray,
    memory: np.ndarray,
    index: np.ndarray,
    mask: np.ndarray,
) -> float:
    losses = []
    for i in range(B):
        own = math.exp(float(positive_query[i] @ positive[i]) / TAU)
        others = [
            math.exp(float(negative_query[i] @ memory[index[i, k]]) / TAU) for k in range(K) if mask[i, k]
        ]
        losses.append(-math.log(own / (own + sum(others))))
    return sum(losses) / B


def _soft_cross_entropy(embedding: np.ndarray, table: np.ndarray, targets: np.ndarray) -> float:
    losses = []
    for row, target in zip(embedding, targets, strict=True):
        scores = [math.exp(float(row @ prototype) / TAU) for prototype in table]
        losses.append(-sum(t * math.log(s / sum(scores)) for t, s in zip(target, scores, strict=True)))
    return sum(losses) / len(losses)


def test_nce_is_the_cross_entropy_with_the_positive_as_class() -> None:
    queries, positives, memory = _unit(0, B), _unit(1, B), _unit(2, N)
    index, mask = _negatives(3)
    loss = nce(queries, positives, negative_logits(queries, memory, index, mask, TAU), TAU)
    q, p, m = queries.numpy(), positives.numpy(), memory.numpy()
    expected = _loop_nce(q, q, p, m, index.numpy(), mask.numpy())
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_an_image_without_negatives_costs_nothing_and_does_not_move() -> None:
    queries = _unit(0, B).requires_grad_()
    index, mask = _negatives(3)
    scores = negative_logits(queries, _unit(2, N), index, mask, TAU)
    nce(queries, _unit(1, B), scores, TAU).backward()
    assert queries.grad is not None and queries.grad.isfinite().all()
    assert queries.grad[0].abs().max() == 0
    assert queries.grad[1:].abs().sum() > 0


def test_no_negatives_at_all_is_zero() -> None:
    assert nce(_unit(0, B), _unit(1, B), torch.empty(B, 0, dtype=torch.float64), TAU).item() == 0.0


def test_negative_logits_are_the_scores_of_the_chosen_rows() -> None:
    queries, memory = _unit(0, B), _unit(2, N)
    index, mask = _negatives(3)
    logits = negative_logits(queries, memory, index, mask, TAU)
    for i in range(B):
        for k in range(K):
            score = float(queries[i] @ memory[index[i, k]]) / TAU
            assert logits[i, k].item() == (pytest.approx(score) if mask[i, k] else -math.inf)


OWN, POSITIVE = torch.tensor([3, 0, 7, 7, 19]), torch.tensor([1, 5, 2, 7, 0])


@pytest.mark.parametrize("third", ["own", "rotated"])
@pytest.mark.parametrize("cluster_memory", [False, True])
def test_rotation_contrast_is_the_sum_of_its_terms(
    third: Literal["own", "rotated"], cluster_memory: bool
) -> None:
    real, rotated, memory = _unit(0, B), _unit(1, B), _unit(4, N)
    index, mask = _negatives(9)
    own = None if cluster_memory else OWN
    loss = rotation_contrast(real, rotated, MemoryRows(memory, own, POSITIVE, index, mask), TAU, third)
    f, f_rot, rows = real.numpy(), rotated.numpy(), memory.numpy()
    v_own, v_pos = rows[OWN.numpy()], rows[POSITIVE.numpy()]
    negatives = (rows, index.numpy(), mask.numpy())
    expected = _loop_nce(f_rot, f_rot, v_pos, *negatives)
    expected += _loop_nce(f, f if third == "own" else f_rot, v_pos, *negatives)
    if not cluster_memory:
        expected += _loop_nce(f_rot, f_rot, v_own, *negatives)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_without_a_second_view_the_third_term_is_left() -> None:
    real, memory = _unit(0, B), _unit(4, N)
    index, mask = _negatives(9)
    loss = rotation_contrast(real, None, MemoryRows(memory, OWN, POSITIVE, index, mask), TAU)
    f, rows = real.numpy(), memory.numpy()
    expected = _loop_nce(f, f, rows[POSITIVE.numpy()], rows, index.numpy(), mask.numpy())
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_rotation_contrast_moves_both_embeddings_and_no_memory() -> None:
    real, rotated, memory = (_unit(seed, n).requires_grad_() for seed, n in enumerate((B, B, N)))
    index, mask = _negatives(9)
    rotation_contrast(real, rotated, MemoryRows(memory, OWN, POSITIVE, index, mask), TAU).backward()
    assert real.grad is not None and rotated.grad is not None and memory.grad is None


@pytest.mark.parametrize("loss", [cluster_nce, prototype_loss])
def test_cluster_and_prototype_losses_are_a_cross_entropy_over_all_identities(loss) -> None:  # type: ignore[no-untyped-def]
    embedding, table = _unit(0, B), _unit(1, P)
    label = torch.tensor([0, 3, 1, 1, 2])
    expected = _soft_cross_entropy(embedding.numpy(), table.numpy(), np.eye(P)[label.numpy()])
    assert loss(embedding, table, label, TAU).item() == pytest.approx(expected, rel=1e-12)


def test_prototypes_are_not_moved() -> None:
    embedding, table = _unit(0, B).requires_grad_(), _unit(1, P).requires_grad_()
    label = torch.tensor([0, 3, 1, 1, 2])
    (
        prototype_loss(embedding, table, label, TAU)
        + mixup_contrast(embedding, table, label, label.flip(0), 0.7, TAU)
    ).backward()
    assert embedding.grad is not None and table.grad is None


@pytest.mark.parametrize("per_image", [False, True])
def test_mixup_contrast_is_a_soft_cross_entropy(per_image: bool) -> None:
    embedding, table = _unit(0, B), _unit(1, P)
    label, other = torch.tensor([0, 3, 1, 1, 2]), torch.tensor([1, 3, 0, 2, 0])
    weight = torch.tensor([0.5, 0.6, 0.7, 0.8, 0.9], dtype=torch.float64) if per_image else 0.7
    w = np.broadcast_to(np.asarray(weight), (B,))[:, None]
    targets = w * np.eye(P)[label.numpy()] + (1 - w) * np.eye(P)[other.numpy()]
    expected = _soft_cross_entropy(embedding.numpy(), table.numpy(), targets)
    loss = mixup_contrast(embedding, table, label, other, weight, TAU)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_hand_worked_nce() -> None:
    """Positive at cosine 1, one negative at cosine 0, τ = 1: log(1 + e^-1)."""
    query = torch.tensor([[1.0, 0.0]])
    memory = torch.tensor([[0.0, 1.0]])
    scores = negative_logits(query, memory, torch.tensor([[0]]), torch.tensor([[True]]), 1.0)
    loss = nce(query, query, scores, 1.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-6)
