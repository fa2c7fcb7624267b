"""What saves memory must not change a gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genreid.models.discriminator import Discriminator, DiscriminatorSettings
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.training.frugal import maybe_recomputed, with_early_gradient
from genreid.training.generation import generate, generator_losses
from genreid.training.mixing import Mix
from genreid.training.run import total

from .conftest import ENCODER, GENERATION, GENERATOR, Boxes


def kept_bytes(work: object) -> int:
    """What autograd has kept for the backward pass of a tensor, counted over its graph's own storages."""
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()  # type: ignore[operator]
    return sum(seen.values())


def test_an_early_gradient_is_the_one_of_autograd() -> None:
    """Through a loss that is then scaled, and a picture that is used elsewhere too."""
    torch.manual_seed(0)
    before, judge = nn.Conv2d(2, 3, 3), nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 1))
    images = torch.randn(2, 2, 9, 7)

    def gradients(early: bool) -> list[Tensor]:
        pictures = before(images)

        def loss(seen: Tensor) -> Tensor:
            return judge(seen).square().mean()

        value = with_early_gradient(loss, pictures) if early else loss(pictures)
        return list(torch.autograd.grad(3 * value + pictures.abs().mean(), list(before.parameters())))

    for ours, plain in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(ours, plain)


def test_an_early_gradient_keeps_one_picture_and_reaches_nothing_else() -> None:
    judge = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Tanh(), nn.Conv2d(64, 1, 1))
    pictures = torch.randn(2, 3, 16, 8, requires_grad=True)
    value = with_early_gradient(lambda seen: judge(seen).mean(), pictures)
    value.backward()
    assert pictures.grad is not None
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert not with_early_gradient(lambda seen: seen.mean(), pictures.detach()).requires_grad


def networks() -> tuple[Generator, Discriminator, IdentityEncoder]:
    encoder = build_encoder(ENCODER, 0)
    generator = build_generator(GENERATOR, encoder.appearance_dim, 4, 0)
    return generator, build_discriminator(DiscriminatorSettings(4, 1, 2), 0), encoder


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_maps_that_are_computed_again_give_the_same_gradients(boxes: Boxes, precision: torch.dtype) -> None:
    """To the last bit, with the encoder in train mode as in joint training."""
    found: list[tuple[int, list[Tensor]]] = []
    for recompute in (False, True):
        generator, discriminator, encoder = networks()
        encoder.train()
        batch = boxes.feed.batch(np.array([0, 7, 13, 20]), np.random.default_rng(0))
        mix = Mix(0.7, torch.tensor([2, 0, 3, 1]))
        result: list[Tensor] = []

        def step(
            recompute: bool = recompute,
            parts: tuple[Generator, Discriminator, IdentityEncoder] = (generator, discriminator, encoder),
            result: list[Tensor] = result,
            batch: object = batch,
            mix: Mix = mix,
        ) -> None:
            generator, discriminator, encoder = parts
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                appearance = encoder(batch.image).appearance  # type: ignore[attr-defined]
                views = generate(
                    generator,
                    encoder,
                    batch,  # type: ignore[arg-type]
                    appearance,
                    mix,
                    encode_mixed=True,
                    batchnorm="separate",
                    teaches_encoder=True,
                    recompute=recompute,
                )
                settings = replace(GENERATION, recompute=recompute)
                losses = generator_losses(views, discriminator, batch, appearance, settings)  # type: ignore[arg-type]
            result.append(total(losses))

        kept = kept_bytes(step)
        result[0].backward()
        learnt = [*generator.parameters(), *encoder.parameters()]
        found.append((kept, [weight.grad for weight in learnt if weight.grad is not None]))
    (plain_kept, plain), (kept, again) = found
    assert kept < 0.8 * plain_kept
    for ours, theirs in zip(again, plain, strict=True):
        assert torch.equal(ours, theirs)


def test_nothing_is_computed_again_unless_asked() -> None:
    calls = []

    def double(x: Tensor) -> Tensor:
        calls.append(1)
        return x * x

    for again, expected in ((False, 1), (True, 2)):
        calls.clear()
        x = torch.ones(3, requires_grad=True)
        maybe_recomputed(again, double, x).sum().backward()
        assert len(calls) == expected
        assert x.grad is not None and torch.equal(x.grad, torch.full((3,), 2.0))
