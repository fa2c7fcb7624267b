"""The generator: shapes of the paper and of small crops, what drives what, where gradients go."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genreid.errors import GenreidError
from genreid.models.generator import Generator
from genreid.models.initialisation import build_generator
from genreid.models.settings import GeneratorSettings
from tests.genreid.models.small import GENERATOR

STRIPE = 6


def _generator() -> Generator:
    return build_generator(GENERATOR, appearance_dim=4 * STRIPE, num_stripes=4, seed=0)


def test_the_papers_sizes() -> None:
    with torch.device("meta"):
        generator = Generator(GeneratorSettings("codes", 16, 4, 128, 512), appearance_dim=8192, num_stripes=4)
        structure = generator.encode_structure(torch.empty(2, 1, 256, 128))
        picture = generator.paint(structure, torch.empty(2, 8192))
    assert structure.shape == (2, 128, 64, 32)
    assert picture.shape == (2, 3, 256, 128)
    assert len(generator.decoder.blocks) == 4


@pytest.mark.parametrize("size", [(64, 32), (128, 64), (32, 16), (16, 16)])
def test_small_crops(size: tuple[int, int]) -> None:
    generator = _generator()
    structure = generator.encode_structure(torch.randn(2, 1, *size))
    assert structure.shape == (2, 16, size[0] // 4, size[1] // 4)
    assert generator.paint(structure, torch.randn(2, 24)).shape == (2, 3, *size)


def test_both_halves_together_are_the_whole() -> None:
    generator, mesh, appearance = _generator(), torch.randn(2, 1, 64, 32), torch.randn(2, 24)
    halves = generator.paint(generator.encode_structure(mesh), appearance)
    assert torch.equal(generator(mesh, appearance), halves)


@pytest.mark.parametrize("stripe", range(4))
def test_stripe_k_drives_block_k(stripe: int) -> None:
    """A change of stripe k alone reaches the scales and shifts of block k alone, and the whole picture."""
    generator, seen = _generator(), []
    for block in generator.decoder.blocks:
        block.register_forward_pre_hook(lambda _block, inputs: seen.append(torch.cat(inputs[1:])))
    structure, appearance = torch.randn(1, 16, 16, 8), torch.randn(1, 24)
    changed = appearance.clone()
    changed[:, stripe * STRIPE : (stripe + 1) * STRIPE] += 1
    change = generator.paint(structure, changed) - generator.paint(structure, appearance)
    moved = [not torch.equal(seen[block], seen[4 + block]) for block in range(4)]
    assert moved == [block == stripe for block in range(4)]
    top, bottom = change.abs().amax(dim=(1, 3))[0].chunk(2)
    assert top.max() > 0 and bottom.max() > 0


def test_a_stripes_first_mlp_says_the_scales_around_one_and_its_second_the_shifts() -> None:
    generator, seen = _generator(), []
    decoder = generator.decoder
    for block in decoder.blocks:
        block.register_forward_pre_hook(lambda _block, inputs: seen.append(inputs[1:]))
    appearance = torch.randn(3, 24)
    generator.paint(torch.randn(3, 16, 8, 4), appearance)
    for k, (scale, shift) in enumerate(seen):
        stripe = appearance[:, k * STRIPE : (k + 1) * STRIPE]
        torch.testing.assert_close(scale, 1 + _mlp(decoder.scales[k], stripe))
        torch.testing.assert_close(shift, _mlp(decoder.shifts[k], stripe))


def _mlp(layers: nn.Module, x: torch.Tensor) -> torch.Tensor:
    weights = [parameter.T if parameter.ndim == 2 else parameter for parameter in layers.parameters()]
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = (x @ weight + bias).clamp(min=0)
    return x @ weights[-2] + weights[-1]


def test_pictures_follow_mesh_and_appearance_of_their_own_row_only() -> None:
    generator, mesh, appearance = _generator(), torch.randn(3, 1, 64, 32), torch.randn(3, 24)
    with torch.no_grad():
        together = generator(mesh, appearance)
        alone = generator(mesh[1:2], appearance[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


def test_every_parameter_learns() -> None:
    generator = _generator()
    appearance = torch.randn(2, 24, requires_grad=True)
    generator(torch.randn(2, 1, 64, 32), appearance).square().sum().backward()
    assert appearance.grad is not None and appearance.grad.abs().sum() > 0
    missing = [name for name, parameter in generator.named_parameters() if parameter.grad is None]
    assert missing == []


def test_sizes_that_the_generator_cannot_take_are_refused() -> None:
    with pytest.raises(GenreidError, match="66×32; height and width must be multiples of 4"):
        _generator().encode_structure(torch.randn(1, 1, 66, 32))
    with pytest.raises(GenreidError, match="12×32"):
        _generator().encode_structure(torch.randn(1, 1, 12, 32))


def test_appearance_is_read_in_units_of_its_spread() -> None:
    """Codes in other units, and mean and spread taken from them, give the same pictures."""
    codes, structure = torch.rand(50, 24), torch.randn(3, 16, 8, 4)
    pictures = []
    for factor, offset in ((1.0, 0.0), (7.0, -3.0)):
        generator = _generator()
        generator.decoder.start_from(codes * factor + offset)
        pictures.append(generator.paint(structure, codes[:3] * factor + offset))
    torch.testing.assert_close(pictures[0], pictures[1], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(pictures[0], _generator().paint(structure, codes[:3]), atol=1e-2)


def test_up_sampling_starts_as_a_blur() -> None:
    """By hand: (1 4 6 4 1)/16 both ways, times one number for each pair of channels."""
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernels = _generator().decoder.upsample[0].conv.weight  # type: ignore[union-attr]
    between = kernels.sum(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(kernels, between * row[:, None] * row)
    assert between.std() > 0.1
