"""Generator pretraining on coloured boxes, and the batched step against one that does each pass alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from genreid.models.discriminator import Discriminator, DiscriminatorSettings
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.progress import Forgetful, Report, Silent
from genreid.training.generation import Mix, discriminator_step, draw_mix, generate, generator_losses
from genreid.training.generator import GeneratorPretrainingSettings, pretrain_generator
from genreid.training.run import Run, total

from .conftest import CPU, ENCODER, GENERATION, GENERATOR, Boxes
from .harness import Recorder, comparable, finish, same, weights

SETTINGS = GeneratorPretrainingSettings(
    seed=3,
    precision="float32",
    compile=False,
    generator=GENERATOR,
    discriminator=DiscriminatorSettings(width=4, num_blocks=1, num_scales=2),
    generation=GENERATION,
    epochs=2,
    steps_per_epoch=3,
    batch_size=6,
    picture_every=0,
)


def networks() -> tuple[Generator, Discriminator, IdentityEncoder]:
    encoder = build_encoder(ENCODER, 0)
    generator = build_generator(GENERATOR, encoder.appearance_dim, 4, 0)
    return generator, build_discriminator(SETTINGS.discriminator, 0), encoder


def run(
    boxes: Boxes, settings: GeneratorPretrainingSettings, checkpoints: Any = None
) -> tuple[tuple[Generator, Discriminator, IdentityEncoder], list[Report]]:
    trained = networks()
    reports = pretrain_generator(
        *trained,
        boxes.feed,
        settings,
        device=CPU,
        checkpoints=checkpoints or Forgetful(),
        progress=Silent(),
    )
    return trained, finish(reports)


def test_it_learns_to_reconstruct_and_leaves_the_encoder_alone(boxes: Boxes) -> None:

    eager = replace(GENERATION, adversarial=0.0, lr=5e-3, beta1=0.5)
    settings = replace(SETTINGS, epochs=4, steps_per_epoch=8, generation=eager)
    (generator, _, encoder), reports = run(boxes, settings)
    error = [report.figures["generator/image"] for report in reports]
    assert all(after < before for before, after in itertools.pairwise(error))
    assert same(weights(encoder), weights(networks()[2]))
    assert not same(weights(generator), weights(networks()[0]))


def test_a_run_that_was_killed_at_any_step_ends_the_same(boxes: Boxes) -> None:
    recorder = Recorder()
    undisturbed, reports = run(boxes, SETTINGS, recorder)
    for killed_after in (0, 2, 4):
        resumed, later = run(boxes, SETTINGS, Recorder(recorder.states[killed_after]))
        for ours, theirs in zip(undisturbed, resumed, strict=True):
            assert same(weights(ours), weights(theirs)), killed_after
        assert comparable(later[-1]) == comparable(reports[-1])


def test_the_batched_passes_equal_one_pass_a_view(boxes: Boxes) -> None:
    """x̂, x_θ, x̃, x_mix and all losses, each computed alone in the plainest way."""
    generator, discriminator, encoder = networks()
    encoder.eval()
    batch = boxes.feed.batch(np.array([0, 7, 13, 20]), np.random.default_rng(0))
    mix = Mix(0.7, torch.tensor([2, 0, 3, 1]))
    appearance = encoder(batch.image).appearance
    views = generate(
        generator, encoder, batch, appearance, mix, encode_mixed=True, batchnorm="frozen", recompute=False
    )
    losses = generator_losses(views, discriminator, batch, appearance, GENERATION)

    own, turned = generator.structure(batch.mesh), generator.structure(batch.mesh_rotated)
    plain = {
        "reconstruction": generator.decoder(own, appearance),
        "rotated": generator.decoder(turned, appearance),
        "mixed": generator.decoder(own, 0.7 * appearance + 0.3 * appearance[[2, 0, 3, 1]]),
    }
    plain["cycle"] = generator.decoder(own, encoder(plain["rotated"]).appearance)
    for name, image in plain.items():
        assert torch.allclose(getattr(views, name), image, atol=1e-4), name
    assert views.encoded_mixed is not None
    mixed_embedding = encoder(plain["mixed"]).embedding
    assert torch.allclose(views.encoded_mixed.embedding, mixed_embedding, atol=1e-4)

    feature = sum(
        F.l1_loss(encoder(plain[name]).appearance, appearance) for name in ("reconstruction", "cycle")
    )
    adversarial = sum(
        (patches - 1).square().mean() for image in plain.values() for patches in discriminator(image)
    )
    expected = {
        "adversarial": adversarial,
        "image": 5 * F.l1_loss(plain["reconstruction"], batch.image),
        "cycle": 5 * F.l1_loss(plain["cycle"], batch.image),
        "feature": 5 * feature,
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_discriminator_step_is_the_lsgan_loss_with_r1(boxes: Boxes) -> None:
    generator, discriminator, encoder = networks()
    encoder.eval()
    batch = boxes.feed.batch(np.array([0, 7, 13, 20]), np.random.default_rng(0))
    mix = draw_mix(4, 0.6, np.random.default_rng(1), CPU)
    appearance = encoder(batch.image).appearance
    views = generate(
        generator, encoder, batch, appearance, mix, encode_mixed=False, batchnorm="frozen", recompute=False
    )

    real = batch.image.clone().requires_grad_()
    fakes = [views.reconstruction, views.rotated, views.cycle, views.mixed]
    lsgan = sum(patches.square().mean() for fake in fakes for patches in discriminator(fake.detach()))
    lsgan = lsgan + 4 * sum((patches - 1).square().mean() for patches in discriminator(real))
    r1 = 0.0
    for patches in discriminator(real):
        (gradient,) = torch.autograd.grad(patches.sum(), real, retain_graph=True)
        r1 += gradient.square().sum((1, 2, 3)).mean().item()

    run = Run(1, 2)
    optimiser = torch.optim.SGD(discriminator.parameters(), lr=0.0)
    losses = discriminator_step(views, discriminator, optimiser, batch, GENERATION, "float32", run)
    assert losses["lsgan"].item() == pytest.approx(lsgan.item(), rel=1e-4)
    assert losses["r1"].item() == pytest.approx(0.01 * 2 * r1, rel=1e-3)  # lazy: every second step, twice
    run.step = 1
    assert "r1" not in discriminator_step(views, discriminator, optimiser, batch, GENERATION, "float32", run)


def test_the_generator_pass_leaves_no_gradient_in_the_discriminator(boxes: Boxes) -> None:
    generator, discriminator, encoder = networks()
    batch = boxes.feed.batch(np.array([0, 7]), np.random.default_rng(0))
    mix = draw_mix(2, 0.6, np.random.default_rng(1), CPU)
    appearance = encoder(batch.image).appearance
    views = generate(
        generator, encoder, batch, appearance, mix, encode_mixed=False, batchnorm="frozen", recompute=False
    )
    total(generator_losses(views, discriminator, batch, appearance, GENERATION)).backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.grad is not None for parameter in generator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())


def test_lambda_favours_the_own_identity() -> None:
    mixes = [draw_mix(8, 0.6, np.random.default_rng(seed), CPU) for seed in range(200)]
    assert all(0.5 <= mix.lam <= 1 for mix in mixes)
    # Half, and the mean deviation of Beta(α, α): 2·α^2α / (B(α, α)·(2α)^(2α+1)) = 0.3003 for α = 0.6.
    assert np.mean([mix.lam for mix in mixes]) == pytest.approx(0.8003, abs=0.03)
    values, mix = torch.arange(8.0), mixes[0]
    assert torch.allclose(mix.of(values), mix.lam * values + (1 - mix.lam) * values[mix.permutation])
