"""The least-squares game and the gradient penalty against loops and hand-worked numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from genreid.losses.adversarial import lsgan_fake, lsgan_real, r1_penalty


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


def test_each_side_of_the_game_is_a_sum_of_means_over_scales() -> None:
    maps = _maps(0, rows=12)
    assert lsgan_real(maps).item() == pytest.approx(_loop(maps, 1.0), rel=1e-12)
    assert lsgan_fake(maps).item() == pytest.approx(_loop(maps, 0.0), rel=1e-12)


def test_maps_in_bfloat16_are_squared_and_averaged_in_float32() -> None:
    """1 + 1/128 is a number of bfloat16 whose square is not, and the mean of many keeps its digits."""
    maps = [torch.full((2, 1, 64, 32), 1 + 1 / 128, dtype=torch.bfloat16)]
    assert lsgan_fake(maps).item() == pytest.approx((1 + 1 / 128) ** 2, rel=1e-6)


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
    ones, zeros = [torch.ones(2, 1, 4, 2)], [torch.zeros(2, 1, 4, 2)]
    assert lsgan_real(ones).item() == lsgan_fake(zeros).item() == 0.0
    assert lsgan_real(zeros).item() == lsgan_fake(ones).item() == 1.0
