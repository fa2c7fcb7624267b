"""What is known of a pixel is laid over what is painted, as far as it is trusted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from genreid.models.checkpoint import generator_checkpoint, load_generator
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_generator
from tests.genreid.models.small import DISCRIMINATOR, GENERATOR

CARRYING = replace(GENERATOR, carries_texture=True)


def _generator() -> Generator:
    return build_generator(CARRYING, 24, 4, 0)


def _inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    texture = torch.zeros(2, 4, 64, 32)
    texture[:, :3, 10:30, 8:24] = torch.randn(2, 3, 20, 16, generator=draw)
    texture[:, 3, 10:30, 8:24] = 1.0
    return torch.randn(2, 1, 64, 32, generator=draw), torch.randn(2, 24, generator=draw), texture


@pytest.mark.parametrize("logit", [30.0, 0.0, -30.0])
def test_trust_mixes_the_two(logit: float) -> None:
    generator = _generator()
    assert generator.decoder.trust is not None
    last = generator.decoder.trust[-1].conv
    assert isinstance(last, torch.nn.Conv2d) and last.bias is not None
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, logit)
    mesh, appearance, texture = _inputs()
    with torch.no_grad():
        painted, laid_over = generator(mesh, appearance), generator(mesh, appearance, texture)
    known = texture[:, 3:].expand(-1, 3, -1, -1) > 0
    assert torch.equal(laid_over[~known], painted[~known])
    trust = torch.tensor(logit).sigmoid()
    expected = trust * texture[:, :3] + (1 - trust) * painted
    torch.testing.assert_close(laid_over[known], expected[known])


def test_nothing_carried_is_nothing_laid_over() -> None:
    generator, (mesh, appearance, texture) = _generator(), _inputs()
    with torch.no_grad():
        assert torch.equal(
            generator(mesh, appearance, torch.zeros_like(texture)), generator(mesh, appearance)
        )


def test_it_starts_by_trusting_and_learns_whether_to() -> None:
    generator, (mesh, appearance, texture) = _generator(), _inputs()
    painted, laid_over = generator(mesh, appearance), generator(mesh, appearance, texture)
    known = texture[:, 3:].expand(-1, 3, -1, -1) > 0
    before = (painted - texture[:, :3]).abs()[known].mean()
    assert (laid_over - texture[:, :3]).abs()[known].mean() < 0.4 * before
    laid_over.square().sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_a_checkpoint_says_whether_texture_is_carried() -> None:
    saved = generator_checkpoint(_generator(), build_discriminator(DISCRIMINATOR, 0))
    again, _ = load_generator(saved)
    assert again.settings.carries_texture
    plain = generator_checkpoint(build_generator(GENERATOR, 24, 4, 0), build_discriminator(DISCRIMINATOR, 0))
    assert not load_generator(plain)[0].settings.carries_texture
