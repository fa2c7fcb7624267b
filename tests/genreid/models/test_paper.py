"""The networks at the paper's sizes, convolution by convolution; residual networks against torchvision's."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from genreid.models.backbone import RESNETS, ResNetBackbone
from genreid.models.discriminator import Discriminator
from genreid.models.generator import Generator
from genreid.models.settings import DiscriminatorSettings, GeneratorSettings


def shapes(network: nn.Module, kind: type[nn.Module] = nn.Conv2d) -> list[tuple[int, ...]]:
    return [tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, kind)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def generator() -> Generator:
    with torch.device("meta"):
        return Generator(GeneratorSettings("codes", 16, 4, 128, 512), appearance_dim=8192, num_stripes=4)


def test_the_structure_encoder(generator: Generator) -> None:
    first = [(16, 1, 3, 3), (32, 16, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3)]
    residual = [(64, 64, 3, 3)] * 2 * 4
    pyramid = [*[(32, 64, 3, 3)] * 4, (128, 128, 1, 1)]
    assert shapes(generator.structure) == [*first, *residual, *pyramid]
    strides = [layer.stride[0] for layer in generator.structure.modules() if isinstance(layer, nn.Conv2d)]
    assert strides[:4] == [2, 1, 1, 2] and set(strides[4:]) == {1}


def test_the_decoder(generator: Generator) -> None:
    decoder = generator.decoder
    assert shapes(decoder.blocks) == [(128, 128, 3, 3)] * 2 * 4
    assert shapes(decoder.upsample) == [(64, 128, 5, 5), (32, 64, 5, 5)]
    assert shapes(decoder.to_pixels) == [(32, 32, 3, 3), (32, 32, 3, 3), (3, 32, 1, 1)]
    for mlps in (decoder.scales, decoder.shifts):
        assert shapes(mlps, nn.Linear) == [(512, 2048), (512, 512), (256, 512)] * 4


def test_the_discriminator() -> None:
    with torch.device("meta"):
        discriminator = Discriminator(DiscriminatorSettings(32, 4, 3))
    first = [(32, 3, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3)]
    assert shapes(discriminator) == [*first, *[(64, 64, 3, 3)] * 2 * 4, (1, 64, 1, 1)] * 3


@pytest.mark.parametrize("name", sorted(RESNETS))
def test_residual_networks_are_torchvisions(name: str) -> None:
    """Their weights by name and shape, and where they halve the map."""
    with torch.device("meta"):
        ours = ResNetBackbone(name, 64, "imagenet", 2)
        theirs = torchvision.models.get_model(name)
    expected = {key: tensor.shape for key, tensor in theirs.state_dict().items() if not key.startswith("fc.")}
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == expected
    halving = {key for key, layer in ours.named_modules() if getattr(layer, "stride", 1) in (2, (2, 2))}
    assert halving == {
        key for key, layer in theirs.named_modules() if getattr(layer, "stride", 1) in (2, (2, 2))
    }
