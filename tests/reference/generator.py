"""Generator pretraining (docs/method.md, Generator pretraining): E_str, G and D learn what E_id sees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.seeding import numpy_rng, torch_rng
from genreid.training.settings.generator import GeneratorPretrainingSettings
from tests.reference.clustering import pseudo_labels, without_camera_mean
from tests.reference.contrast import another_image, draw_mix
from tests.reference.data import Batch, Data, batches, make_batch, pixels
from tests.reference.generation import (
    adam,
    apart,
    discriminator_losses,
    generator_losses,
    paint,
    same_person,
)
from tests.reference.learning import Step, descend, embed, gradients, kept, numbers, set_rate, total


def pretrain_generator(
    generator: Generator,
    discriminator: Discriminator,
    encoder: IdentityEncoder,
    data: Data,
    settings: GeneratorPretrainingSettings,
) -> Iterator[Step]:
    """Train G (with E_str) and D in place; after every step yields where they stand."""
    weights = settings.generation
    encoder.eval()
    take_statistics(generator, encoder, data)
    labels = None
    if weights.same_person > 0:
        features = embed(encoder, data)
        if settings.camera_centred:
            features = without_camera_mean(features, data.camera_id)
        labels = pseudo_labels(features, settings.clustering)
    g_optimiser, d_optimiser = adam(generator, weights), adam(discriminator, weights)

    for epoch in range(settings.epochs):
        for optimiser in (g_optimiser, d_optimiser):
            set_rate(optimiser, weights.lr, epoch, settings.lr_step_epochs)
        order = batches(data.with_mesh, settings.batch_size, numpy_rng(settings.seed, "batches", epoch))
        for step in range(settings.steps_per_epoch):
            rng = numpy_rng(settings.seed, "step", epoch, step)
            index = next(order)
            positives = None
            if labels is not None:
                positives = positives_with_mesh(
                    index, labels, data.with_mesh, torch_rng(settings.seed, "partners", epoch, step)
                )
            batch = make_batch(data, index, rng.choice(data.turns, len(index)), positives)
            with torch.no_grad():
                code = encoder(batch.image).appearance
            if epoch < settings.reconstruction_epochs:
                d_losses, losses = {}, first_losses(generator, batch, code, settings)
            else:
                mix = draw_mix(len(index), weights.mixup_alpha, rng)
                painted = paint(generator, encoder, batch, code, mix, show_mixed=False, statistics="frozen")
                d_losses = discriminator_losses(discriminator, batch.image, painted.fakes, weights, step)
                descend(gradients(total(d_losses), discriminator), d_optimiser)
                losses = generator_losses(painted, batch, code, discriminator, weights)
            descend(gradients(total(losses), generator), g_optimiser)
            yield Step(
                epoch,
                numbers(losses, "generator") | numbers(d_losses, "discriminator"),
                kept(
                    {
                        "encoder": encoder,
                        "generator": generator,
                        "discriminator": discriminator,
                        "g_optimiser": g_optimiser,
                        "d_optimiser": d_optimiser,
                    }
                ),
                batch=batch,
            )


def first_losses(
    generator: Generator, batch: Batch, code: torch.Tensor, settings: GeneratorPretrainingSettings
) -> dict[str, torch.Tensor]:
    """L_img and L_same, which come alone in the first epochs."""
    weights = settings.generation
    losses = {"image": weights.image * apart(generator(batch.mesh, code), batch.image)}
    if batch.positive_mesh is not None:
        painted = generator(batch.positive_mesh, code)
        losses["same_person"] = weights.same_person * same_person(painted, batch)
    return losses


@torch.no_grad()
def take_statistics(generator: Generator, encoder: IdentityEncoder, data: Data) -> None:
    """G reads codes in units of their spread around their mean, over at most 1,024 images with a mesh."""
    chosen = sorted({int(place) for place in np.linspace(0, len(data.with_mesh) - 1, 1024)})
    codes = torch.cat([encoder(pixels(data.images[[i]])).appearance for i in data.with_mesh[chosen]])
    generator.decoder.mean.copy_(codes.mean(0))
    generator.decoder.spread.copy_(codes.std(0, correction=0).clamp(min=1e-3))


def positives_with_mesh(
    index: np.ndarray, labels: np.ndarray, with_mesh: np.ndarray, draws: torch.Generator
) -> np.ndarray:
    """(B,) x': another image of the same pseudo-identity that has a mesh too; itself where there is none."""
    numbers = torch.rand(len(index), generator=draws, dtype=torch.float64).tolist()
    shown = np.where(np.isin(np.arange(len(labels)), with_mesh), labels, -1)
    return np.array(
        [
            another_image(i, shown, number) if labels[i] >= 0 else i
            for i, number in zip(index, numbers, strict=True)
        ]
    )
