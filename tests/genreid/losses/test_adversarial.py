"""The least-squares game and the gradient penalty against loops and hand-worked numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genreid.losses.adversarial import lsgan_discriminator, lsgan_generator, r1_penalty


def _maps(seed: int, rows: int) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, 1, *size, generator=rng, dtype=torch.float64) for size in ((4, 2), (2, 1))]


def _loop(maps: Sequence[Tensor], wanted: float) -> float:
    """Σ over scales of the mean over images and patches of (D − wanted)²."""
    result = 0.0
    for patches in maps:
        values = patches.numpy().ravel()
        result += sum((float(value) - wanted) ** 2 for value in values) / len(values)
    return result


def _views(maps: Sequence[Tensor], num: int) -> list[list[Tensor]]:
    return [[patches[3 * view : 3 * view + 3] for patches in maps] for view in range(num)]


def test_generator_loss_is_summed_over_scales_and_views() -> None:
    fakes = _maps(0, rows=12)
    expected = sum(_loop(view, 1.0) for view in _views(fakes, 4))
    assert lsgan_generator(fakes, num_views=4).item() == pytest.approx(expected, rel=1e-12)


def test_discriminator_loss_counts_the_real_batch_once_with_its_weight() -> None:
    real, fakes = _maps(1, rows=3), _maps(2, rows=12)
    expected = 2.5 * _loop(real, 1.0) + sum(_loop(view, 0.0) for view in _views(fakes, 4))
    loss = lsgan_discriminator(real, fakes, num_views=4, real_weight=2.5)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_real_weight_of_the_number_of_views_is_the_reference_program() -> None:
    """There the real batch is judged once beside each fake."""
    real, fakes = _maps(3, rows=3), _maps(4, rows=12)
    beside_each = sum(_loop(real, 1.0) + _loop(view, 0.0) for view in _views(fakes, 4))
    loss = lsgan_discriminator(real, fakes, num_views=4, real_weight=4.0)
    assert loss.item() == pytest.approx(beside_each, rel=1e-12)


def test_r1_of_a_linear_discriminator_is_the_square_of_its_weights() -> None:
    """D(x) = Σ w·x has the gradient w at every image; two scales add up."""
    weight = torch.arange(6.0).reshape(1, 1, 2, 3)
    images = torch.randn(5, 1, 2, 3).requires_grad_()
    fine = (weight * images).sum(dim=(1, 2, 3))
    loss = r1_penalty([fine, 2 * fine], images)
    expected = sum(value**2 for value in range(6)) * (1 + 4)
    assert loss.item() == pytest.approx(expected)


def test_r1_against_finite_differences() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Conv2d(2, 1, 1))
    images = torch.randn(2, 1, 3, 3)
    wanted, step = 0.0, 1e-2
    with torch.no_grad():
        for image in images:
            for y in range(3):
                for x in range(3):
                    moved = torch.zeros(1, 3, 3)
                    moved[0, y, x] = step
                    slope = (net((image + moved)[None]) - net((image - moved)[None])).sum() / (2 * step)
                    wanted += float(slope) ** 2 / len(images)
    images.requires_grad_()
    assert r1_penalty([net(images)], images).item() == pytest.approx(wanted, rel=1e-3)


def test_r1_moves_the_discriminator() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(2, 1, 1))
    images = torch.randn(2, 1, 4, 4).requires_grad_()
    r1_penalty([net(images)], images).backward()
    assert isinstance(net[0], nn.Conv2d) and net[0].weight.grad is not None
    assert net[0].weight.grad.abs().sum() > 0


def test_r1_refuses_half_precision() -> None:
    images = torch.randn(2, 1, 4, 4).requires_grad_()
    with pytest.raises(AssertionError, match="float32"):
        r1_penalty([images.to(torch.bfloat16)], images)


def test_targets_are_ones_and_zeros() -> None:
    perfect = [torch.ones(2, 1, 4, 2)]
    fooled = [torch.zeros(2, 1, 4, 2)]
    assert lsgan_generator(perfect, 1).item() == 0.0
    assert lsgan_discriminator(perfect, fooled, 1, 1.0).item() == 0.0
    np.testing.assert_allclose(lsgan_discriminator(fooled, perfect, 1, 1.0).item(), 2.0)
