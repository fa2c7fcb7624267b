"""Batch norm of generated images: which statistics are used, which are kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.batchnorm import generated_images
from genreid.models.encoder import IdentityEncoder
from tests.genreid.models.small import ENCODER


def _statistics(network: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in network.buffers()]


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def _layer() -> nn.Sequential:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.BatchNorm2d(3))
    layer(5 + 2 * torch.randn(64, 3, 4, 4))  # real images: away from the first running statistics
    return layer


def test_separate_uses_the_batchs_statistics_and_keeps_none() -> None:
    layer, fakes = _layer(), torch.randn(8, 3, 4, 4)
    before = _statistics(layer)
    with generated_images(layer, "separate"):
        out = layer(fakes)
    assert _same(_statistics(layer), before)
    mean, std = fakes.mean(dim=(0, 2, 3), keepdim=True), fakes.var(dim=(0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(out, (fakes - mean) / (std + 1e-5).sqrt())


def test_shared_uses_the_batchs_statistics_and_keeps_them() -> None:
    layer, fakes = _layer(), torch.randn(8, 3, 4, 4)
    running = layer.get_buffer("0.running_mean").clone()
    with generated_images(layer, "shared"):
        out = layer(fakes)
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    expected = 0.9 * running + 0.1 * fakes.mean(dim=(0, 2, 3))
    torch.testing.assert_close(layer.get_buffer("0.running_mean"), expected)


def test_frozen_uses_the_running_statistics_and_keeps_them_as_they_are() -> None:
    layer, fakes = _layer(), torch.randn(8, 3, 4, 4)
    before = _statistics(layer)
    with generated_images(layer, "frozen"):
        out = layer(fakes)
    assert _same(_statistics(layer), before)
    mean = layer.get_buffer("0.running_mean")[:, None, None]
    variance = layer.get_buffer("0.running_var")[:, None, None]
    torch.testing.assert_close(out, (fakes - mean) / (variance + 1e-5).sqrt())


@pytest.mark.parametrize("statistics", ["separate", "shared", "frozen"])
def test_afterwards_real_images_update_every_layer_again(statistics: str) -> None:
    encoder = IdentityEncoder(ENCODER).train()
    with generated_images(encoder, statistics):  # type: ignore[arg-type]
        encoder(torch.randn(4, 3, 64, 32))
    assert all(module.training for module in encoder.modules())
    before = _statistics(encoder)
    encoder(torch.randn(4, 3, 64, 32))
    assert not any(torch.equal(a, b) for a, b in zip(_statistics(encoder), before, strict=True))


def test_an_error_inside_leaves_the_layers_as_they_were() -> None:
    layer = _layer()
    with pytest.raises(RuntimeError), generated_images(layer, "separate"):
        raise RuntimeError
    before = _statistics(layer)
    layer(torch.randn(8, 3, 4, 4))
    assert not _same(_statistics(layer), before)


def test_in_evaluation_mode_nothing_changes() -> None:
    layer, fakes = _layer().eval(), torch.randn(8, 3, 4, 4)
    expected = layer(fakes)
    with generated_images(layer, "separate"):
        assert torch.equal(layer(fakes), expected)
    assert not layer[0].training


def test_gradients_flow_through_every_kind() -> None:
    for statistics in ("separate", "shared", "frozen"):
        layer, fakes = _layer(), torch.randn(8, 3, 4, 4, requires_grad=True)
        with generated_images(layer, statistics):  # type: ignore[arg-type]
            out = layer(fakes)
        (out**3).sum().backward()
        assert fakes.grad is not None and fakes.grad.abs().sum() > 0


def test_an_unknown_kind_is_refused() -> None:
    refused = pytest.raises(GenreidError, match="'together'; it must be one of separate, shared, frozen")
    with refused, generated_images(_layer(), "together"):  # type: ignore[arg-type]
        pass
