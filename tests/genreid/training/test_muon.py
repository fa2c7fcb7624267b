"""Muon against singular value decompositions and a step worked out beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.training.muon import Muon, orthogonal


def _matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    """Directions of very different lengths: singular values from 1 down to 1/100."""
    rng = torch.Generator().manual_seed(seed)
    u, _, vh = torch.linalg.svd(torch.randn(rows, columns, generator=rng), full_matrices=False)
    return u * torch.logspace(0, -2, min(rows, columns)) @ vh


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16)])
def test_all_directions_become_about_as_long(shape: tuple[int, int]) -> None:
    matrix = _matrix(*shape)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(7.0 * matrix)
    assert found.shape == shape
    # In the matrix's own singular vectors the answer is diagonal, and what lies on the diagonal is near 1.
    inside = u.T @ found @ vh.T
    lengths = inside.diagonal()
    assert (inside - lengths.diag()).abs().max() < 1e-3
    assert lengths.min() > 0.6 and lengths.max() < 1.25


def test_the_iteration_of_the_post() -> None:
    """X → a·X + b·(X·Xᵀ)·X + c·(X·Xᵀ)²·X five times, in double precision, on X itself."""
    matrix = _matrix(5, 30, seed=1)
    x = matrix.double().numpy() / np.linalg.norm(matrix.double().numpy())
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    np.testing.assert_allclose(orthogonal(matrix).numpy(), x, atol=1e-4)


def test_steps_of_a_convolution_worked_out_beside_it() -> None:
    """Nesterov's momentum of 0.95 averages gradients; six rows of four numbers move √(6/4) times further."""
    rng = torch.Generator().manual_seed(2)
    start, first, second = torch.randn(3, 6, 1, 2, 2, generator=rng)
    weight = start.clone().to(memory_format=torch.channels_last).requires_grad_()
    optimiser = Muon([weight], lr=0.1, weight_decay=0.5)
    expected, momentum = start.flatten(1), torch.zeros(6, 4)
    for gradient in (first, second):
        weight.grad = gradient.clone()
        optimiser.step()
        momentum = 0.95 * momentum + 0.05 * gradient.flatten(1)
        ahead = 0.05 * gradient.flatten(1) + 0.95 * momentum
        expected = 0.95 * expected - 0.1 * 1.5**0.5 * orthogonal(ahead)
        torch.testing.assert_close(weight.detach().flatten(1), expected, atol=1e-5, rtol=0)


def test_a_weight_without_a_gradient_stays() -> None:
    weight = torch.ones(3, 4, requires_grad=True)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    assert (weight == 1).all()


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped() -> None:
    def steps(weight: torch.Tensor, optimiser: Muon, num: int) -> None:
        for step in range(num):
            weight.grad = _matrix(4, 9, seed=step)
            optimiser.step()

    whole, half = torch.zeros(4, 9, requires_grad=True), torch.zeros(4, 9, requires_grad=True)
    optimiser = Muon([whole], lr=0.1, weight_decay=0.0)
    steps(whole, optimiser, 3)
    before = Muon([half], lr=0.1, weight_decay=0.0)
    steps(half, before, 3)
    after = Muon([half], lr=0.3, weight_decay=0.0)
    after.load_state_dict(before.state_dict())
    steps(whole, optimiser, 2)
    steps(half, after, 2)
    assert torch.equal(whole, half)
