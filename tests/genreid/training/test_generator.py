"""Generator pretraining on coloured boxes, and the batched step against one that does each pass alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from genreid.data.batch import Batch, Mix
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.models.settings import DiscriminatorSettings
from genreid.progress import Forgetful, Report, Silent
from genreid.training.generation import discriminator_step, first_losses, generator_losses
from genreid.training.generator import appearance_codes, pretrain_generator
from genreid.training.mixtures import draw_mix
from genreid.training.run import Run, total
from genreid.training.settings.generator import GeneratorPretrainingSettings
from genreid.training.views import GeneratedViews, generate

from .conftest import CLUSTERING, CPU, ENCODER, GENERATION, GENERATOR, Boxes
from .harness import Recorder, comparable, finish, same, weights

SETTINGS = GeneratorPretrainingSettings(
    seed=3,
    precision="float32",
    generator=GENERATOR,
    discriminator=DiscriminatorSettings(width=4, num_blocks=1, num_scales=2),
    generation=GENERATION,
    clustering=CLUSTERING,
    camera_centred=False,
    reconstruction_epochs=0,
    epochs=2,
    steps_per_epoch=3,
    batch_size=6,
    lr_step_epochs=10,
    embed_batch_size=16,
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
        boxes.images,
        boxes.loader,
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
    assert not any(p.requires_grad or p.grad is not None for p in encoder.parameters())
    assert not same(weights(generator), weights(networks()[0]))


@pytest.mark.parametrize("reconstruction_epochs", [0, 1])
def test_a_run_that_was_killed_at_any_step_ends_the_same(boxes: Boxes, reconstruction_epochs: int) -> None:
    generation = replace(GENERATION, same_person=5.0)
    settings = replace(SETTINGS, generation=generation, reconstruction_epochs=reconstruction_epochs)
    recorder = Recorder()
    undisturbed, reports = run(boxes, settings, recorder)
    for killed_after in (0, 2, 4):
        resumed, later = run(boxes, settings, Recorder(recorder.states[killed_after]))
        for ours, theirs in zip(undisturbed, resumed, strict=True):
            assert same(weights(ours), weights(theirs)), killed_after
        assert comparable(later[-1]) == comparable(reports[-1])


def test_the_first_epochs_learn_pictures_alone(boxes: Boxes) -> None:
    generation = replace(GENERATION, same_person=5.0)
    settings = replace(SETTINGS, generation=generation, reconstruction_epochs=1)
    _, (first, second) = run(boxes, settings)
    losses = {name for name in first.figures if "/" in name}
    assert losses == {"generator/image", "generator/same_person"}
    assert losses < set(second.figures) and "discriminator/lsgan" in second.figures


def all_views(
    generator: Generator,
    encoder: IdentityEncoder,
    batch: Batch,
    appearance: torch.Tensor,
    mix: Mix,
    *,
    encode_mixed: bool,
) -> GeneratedViews:
    """All views of a batch, by running statistics, and gradients wherever they can go."""
    return generate(
        generator,
        encoder,
        batch,
        appearance,
        mix,
        encode_mixed=encode_mixed,
        batchnorm="frozen",
        teaches_encoder=True,
    )


def test_same_person_losses_equal_one_pass_an_image(boxes: Boxes) -> None:
    """The code of one image on the mesh of another, held against that other where its box is."""
    generator, discriminator, encoder = networks()
    encoder.eval()
    index, positives = np.array([0, 7, 13]), np.array([4, 7, 15])
    batch = boxes.loader.batch(index, np.random.default_rng(0), positives=positives)
    plain = boxes.loader.batch(positives, np.random.default_rng(0))
    appearance = encoder(batch.image).appearance
    settings = replace(GENERATION, same_person=3.0)

    expected, covered = 0.0, 0
    for i in range(3):
        painted = generator(plain.mesh[i : i + 1], appearance[i : i + 1])[0]
        for row, column in zip(*np.nonzero(plain.mesh[i, 0].numpy() > -1), strict=True):
            apart = (painted[:, row, column] - plain.image[i, :, row, column]).abs()
            expected, covered = expected + apart.mean().item(), covered + 1

    alone = first_losses(generator, batch, appearance, settings)
    mix = Mix(0.7, torch.tensor([2, 0, 1]))
    views = all_views(generator, encoder, batch, appearance, mix, encode_mixed=True)
    whole = generator_losses(views, discriminator, batch, appearance, settings)
    for losses in (alone, whole):
        assert losses["same_person"].item() == pytest.approx(3 * expected / covered, rel=1e-4)
        assert losses["image"].item() == pytest.approx(
            5 * F.l1_loss(generator(batch.mesh, appearance), batch.image).item(), rel=1e-4
        )
    assert len(views.kinds()) == 4, "the discriminator sees the paper's four fakes"
    assert views.mixed is not None and views.encoded_mixed is not None
    mixed = generator(batch.mesh, 0.7 * appearance + 0.3 * appearance[[2, 0, 1]])
    assert torch.allclose(views.mixed, mixed, atol=1e-4)


def test_the_batched_passes_equal_one_pass_a_view(boxes: Boxes) -> None:
    """x̂, x_θ, x̃, x_mix and all losses, each computed alone in the plainest way."""
    generator, discriminator, encoder = networks()
    encoder.eval()
    batch = boxes.loader.batch(np.array([0, 7, 13, 20]), np.random.default_rng(0))
    mix = Mix(0.7, torch.tensor([2, 0, 3, 1]))
    appearance = encoder(batch.image).appearance
    views = all_views(generator, encoder, batch, appearance, mix, encode_mixed=True)
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
    batch = boxes.loader.batch(np.array([0, 7, 13, 20]), np.random.default_rng(0))
    mix = draw_mix(4, 0.6, np.random.default_rng(1))
    appearance = encoder(batch.image).appearance
    views = all_views(generator, encoder, batch, appearance, mix, encode_mixed=False)

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
    losses = discriminator_step(views, discriminator, optimiser, batch, GENERATION, "float32", run, run.step)
    assert losses["lsgan"].item() == pytest.approx(lsgan.item(), rel=1e-4)
    assert losses["r1"].item() == pytest.approx(0.01 * 2 * r1, rel=1e-3)  # lazy: every second step, twice
    run.step = 1
    assert "r1" not in discriminator_step(
        views, discriminator, optimiser, batch, GENERATION, "float32", run, run.step
    )


def test_the_generator_pass_leaves_no_gradient_in_the_discriminator(boxes: Boxes) -> None:
    """Nor does the discriminator keep anything for one meanwhile."""
    generator, discriminator, encoder = networks()
    learns: list[bool] = []
    for layer in discriminator.modules():
        own = list(layer.parameters(recurse=False))
        layer.register_forward_pre_hook(lambda *_, own=own: learns.extend(p.requires_grad for p in own))
    batch = boxes.loader.batch(np.array([0, 7]), np.random.default_rng(0))
    mix = draw_mix(2, 0.6, np.random.default_rng(1))
    appearance = encoder(batch.image).appearance
    views = all_views(generator, encoder, batch, appearance, mix, encode_mixed=False)
    total(generator_losses(views, discriminator, batch, appearance, GENERATION)).backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.grad is not None for parameter in generator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
    assert len(learns) > 20 and not any(learns)


@pytest.mark.parametrize(("num", "expected"), [(3000, 1024), (300, 300)])
def test_codes_are_taken_of_images_spread_over_all_with_a_mesh(num: int, expected: int) -> None:
    """Every second image has one; the code is the image's number."""
    loader: Any = SimpleNamespace(with_mesh=np.arange(0, 2 * num, 2), images_at=torch.from_numpy)
    encoder: Any = lambda images: SimpleNamespace(appearance=images[:, None])  # noqa: E731
    codes = appearance_codes(encoder, loader)[:, 0]
    assert len(codes) == expected and codes[[0, -1]].tolist() == [0, 2 * num - 2]
    steps = codes.diff() / 2
    assert steps.min() >= num // expected and steps.max() <= -(-num // expected)
