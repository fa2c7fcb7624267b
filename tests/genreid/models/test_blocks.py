"""The bricks against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genreid.models.blocks import (
    AdaptiveResidualBlock,
    AtrousBranch,
    AtrousPyramid,
    ConvBlock,
    ResidualBlock,
    UpsampleConv,
    adain,
    make_norm,
    with_edges,
)


def test_up_sampling_convolution_is_nearest_up_sampling_then_a_5_by_5() -> None:
    torch.manual_seed(0)
    layer = UpsampleConv(3, 5).double()
    x = torch.randn(2, 3, 4, 7, dtype=torch.float64)
    large = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = F.conv2d(F.pad(large, (2, 2, 2, 2), mode="replicate"), layer.conv.weight, layer.conv.bias)
    assert expected.shape == (2, 5, 8, 14)
    torch.testing.assert_close(layer(x), expected)


def test_edges_are_repeated_as_replicate_padding_does_it() -> None:
    """And a border pixel's gradient is that of all its copies."""
    x, padded = (
        torch.arange(2 * 3 * 4 * 2, dtype=torch.float64).view(2, 3, 4, 2).requires_grad_() for _ in "ab"
    )
    weights = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    ours, plain = with_edges(x), F.pad(padded, (1, 1, 1, 1), mode="replicate")
    assert torch.equal(ours, plain)
    (ours * weights).sum().backward()
    (plain * weights).sum().backward()
    torch.testing.assert_close(x.grad, padded.grad)


def test_adain_gives_every_map_the_asked_mean_and_deviation() -> None:
    x = 3 + 2 * torch.randn(2, 4, 16, 8, dtype=torch.float64)
    scale, shift = torch.rand(2, 4, dtype=torch.float64) + 0.5, torch.randn(2, 4, dtype=torch.float64)
    out = adain(x, scale, shift).numpy()
    for image in range(2):
        for channel in range(4):
            values = out[image, channel].ravel()
            assert sum(values) / 128 == pytest.approx(shift[image, channel].item(), abs=1e-9)
            assert np.std(values) == pytest.approx(scale[image, channel].item(), rel=1e-4)


def _convolved(layer: nn.Conv2d, x: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)


def _normalised(x: Tensor) -> Tensor:
    """Each map by itself."""
    variance = x.var(dim=(2, 3), correction=0, keepdim=True)
    return (x - x.mean(dim=(2, 3), keepdim=True)) / (variance + 1e-5).sqrt()


def test_an_adaptive_block_takes_half_of_the_scales_for_each_of_its_norms() -> None:
    block = AdaptiveResidualBlock(3).double()
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    scale, shift = torch.randn(2, 2, 6, 1, 1, dtype=torch.float64)
    y = _normalised(_convolved(block.first, x)) * scale[:, :3] + shift[:, :3]
    y = torch.where(y > 0, y, 0.2 * y)
    y = _normalised(_convolved(block.second, y)) * scale[:, 3:] + shift[:, 3:]
    torch.testing.assert_close(block(x, scale[..., 0, 0], shift[..., 0, 0]), x + y)


def test_a_residual_block_is_its_formula() -> None:
    block = ResidualBlock(3, norm="instance").double()
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    y = _normalised(_convolved(block.first.conv, x))
    y = _normalised(_convolved(block.second.conv, torch.where(y > 0, y, 0.2 * y)))
    torch.testing.assert_close(block(x), x + y)


def test_layer_norm_is_over_all_of_an_image() -> None:
    x = torch.randn(3, 4, 6, 5) * torch.tensor([1.0, 2, 3, 4])[:, None, None] + 1
    out = make_norm("layer", 4)(x)
    for image in range(3):
        expected = (x[image] - x[image].mean()) / (x[image].var(correction=0) + 1e-5).sqrt()
        torch.testing.assert_close(out[image], expected)


@pytest.mark.parametrize("size", [(64, 32), (16, 8), (8, 4), (4, 4)])
def test_atrous_pyramid_takes_small_maps(size: tuple[int, int]) -> None:
    assert AtrousPyramid(8, 16)(torch.randn(1, 8, *size)).shape == (1, 16, *size)


def test_each_branch_of_a_narrow_pyramid_has_one_channel() -> None:
    assert [branch.conv.weight.shape for branch in AtrousPyramid(5, 3).branches] == [(1, 5, 3, 3)] * 4  # type: ignore[union-attr]


def test_branches_of_the_pyramid_reach_as_far_as_the_paper_says() -> None:
    """Where a pixel in the middle of a map looks, by its gradient: 1, 3, 6 and 9 away, and at itself."""
    reaches = []
    for branch in AtrousPyramid(1, 4).double().branches:
        branch.norm = nn.Identity()
        x = torch.randn(1, 1, 64, 32, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(branch(x)[0, 0, 30, 15], x)
        rows, columns = gradient[0, 0].nonzero().T
        reaches.append((sorted(set((rows - 30).tolist())), sorted(set((columns - 15).tolist()))))
    assert reaches == [([-reach, 0, reach],) * 2 for reach in (1, 3, 6, 9)]


@pytest.mark.parametrize(("size", "expected"), [((64, 32), (9, 9)), ((16, 8), (2, 2)), ((4, 4), (1, 1))])
def test_dilation_is_limited_by_the_map(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """A lone 1 far from the borders: the taps that see it stand `expected` apart."""
    branch = AtrousBranch(1, 1, 9).double()
    branch.norm = torch.nn.Identity()
    with torch.no_grad():
        x = torch.randn(1, 1, *size, dtype=torch.float64)
        down, across = expected
        padded = F.pad(x, (across, across, down, down), mode="reflect")[0, 0]
        wanted = torch.empty(size, dtype=torch.float64)
        for y in range(size[0]):
            for x_position in range(size[1]):
                total = branch.conv.bias[0]  # type: ignore[index]
                for i in range(3):
                    for j in range(3):
                        tap = padded[y + i * down, x_position + j * across]
                        total = total + branch.conv.weight[0, 0, i, j] * tap
                wanted[y, x_position] = total if total > 0 else 0.2 * total
        torch.testing.assert_close(branch(x)[0, 0], wanted)


def test_a_residual_block_with_empty_weights_passes_its_input() -> None:
    block = ResidualBlock(4, norm="instance")
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_activation_is_a_leaky_relu_of_a_fifth() -> None:
    block = ConvBlock(1, 1, 1)
    torch.nn.init.ones_(block.conv.weight)
    torch.nn.init.zeros_(block.conv.bias)  # type: ignore[arg-type]
    x = torch.tensor([[[[-10.0, 10.0]]]])
    torch.testing.assert_close(block(x), torch.tensor([[[[-2.0, 10.0]]]]))
