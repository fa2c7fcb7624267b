"""Generator pretraining: E_str, G and D learn to paint what a frozen E_id sees.

Source: docs/method.md, Generator pretraining; Chen et al., TPAMI 2023.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from genreid.clustering.pseudo_labels import cluster
from genreid.data.batch import Batch
from genreid.data.images import ImageSet
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.progress import Checkpoints, Progress, Report
from genreid.training.draws import Positives
from genreid.training.features import embed_all
from genreid.training.generation import (
    adam_pair,
    discriminator_step,
    first_losses,
    generator_losses,
    repair_losses,
)
from genreid.training.loader import Holds, Loader
from genreid.training.mixtures import draw_mix
from genreid.training.pictures import generation_picture
from genreid.training.precision import autocast
from genreid.training.ranks import ALONE, Ranks
from genreid.training.repair import RepairedViews, repair
from genreid.training.run import Run, due, named, require_finite, set_lr, set_trainable, total
from genreid.training.settings.generator import GeneratorPretrainingSettings
from genreid.training.views import GeneratedViews, generate

_MOST_CODES = 1024


def pretrain_generator(
    generator: Generator,
    discriminator: Discriminator,
    encoder: IdentityEncoder,
    images: ImageSet,
    loader: Loader,
    settings: GeneratorPretrainingSettings,
    *,
    device: torch.device,
    checkpoints: Checkpoints,
    progress: Progress,
    ranks: Ranks = ALONE,
) -> Iterator[Report]:
    """Train `generator` and `discriminator` in place; yields one report an epoch.

    `encoder` is in evaluation mode and does not learn; gradients flow through it to the pictures. ranks: who
    share the work.
    """
    encoder.eval()
    set_trainable(encoder, False)
    ranks.align(generator, discriminator, encoder)
    generator.decoder.start_from(appearance_codes(encoder, loader))
    positives = find_positives(encoder, images, loader, settings, device, ranks)
    optimisers = adam_pair(generator, discriminator, settings.generation)
    networks = (generator, discriminator, encoder)
    run = Run(
        settings.epochs,
        settings.steps_per_epoch,
        generator=generator,
        discriminator=discriminator,
        g_optimiser=optimisers[0],
        d_optimiser=optimisers[1],
    )
    checkpoints = ranks.checkpoints(checkpoints)
    run.resume(checkpoints, progress, "generator pretraining")

    while run.epoch < settings.epochs:
        generator.train()
        for optimiser in optimisers:
            set_lr(optimiser, settings.generation.lr, run.epoch, settings.lr_step_epochs)
        batches = loader.epoch(
            run,
            loader.with_mesh,
            settings.batch_size,
            settings.seed,
            Holds(canvases=generator.repairs),
            positives=positives,
            ranks=ranks,
        )
        for rng, batch in batches:
            losses = generator_step(networks, optimisers, batch, settings, run, rng, ranks)
            run.meter.add(losses, batch.place.num)
            run.finish_step(checkpoints)

        pictures = {}
        if ranks.rank == 0 and due(run.epoch, settings.epochs, settings.picture_every):
            pictures["views"] = generation_picture(generator, encoder, loader, settings.seed)
        yield run.finish_epoch({}, pictures)


def generator_step(
    networks: tuple[Generator, Discriminator, IdentityEncoder],
    optimisers: tuple[torch.optim.Adam, torch.optim.Adam],
    batch: Batch,
    settings: GeneratorPretrainingSettings,
    run: Run,
    rng: np.random.Generator,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """One step of D and of G, or of G alone in the epochs of reconstructions.

    Returns the weighted terms, detached, as figures `generator/term` and `discriminator/term`. Raises
    FloatingPointError when one is not finite.
    """
    generator, discriminator, encoder = networks
    device, precision, generation = batch.image.device, settings.precision, settings.generation
    g_optimiser, d_optimiser = optimisers
    d_losses: dict[str, Tensor] = {}
    reconstructs = run.epoch < settings.reconstruction_epochs
    with autocast(device, precision):
        real = encoder(batch.image)
        views: GeneratedViews | RepairedViews | None = None
        if generator.repairs:
            views = repair(
                generator,
                encoder,
                batch,
                real.appearance,
                "frozen",
                seen=generation.feature > 0,
                judged=not reconstructs and generation.adversarial > 0,
                teaches_encoder=False,
            )
        elif not reconstructs:
            mix = draw_mix(batch.place.num, generation.mixup_alpha, rng)
            mix = mix.of_part(batch.place, ranks.whole(batch.place)).to(device)
            views = generate(
                generator,
                encoder,
                batch,
                real.appearance,
                mix,
                encode_mixed=False,
                batchnorm="frozen",
                teaches_encoder=False,
            )
    if views is not None and views.kinds():
        d_losses = discriminator_step(
            views, discriminator, d_optimiser, batch, generation, precision, run, run.step, ranks
        )
    with autocast(device, precision):
        if views is None:
            losses = first_losses(generator, batch, real.appearance, generation, ranks)
        elif isinstance(views, RepairedViews):
            losses = repair_losses(views, discriminator, batch, real, generation, ranks)
        else:
            losses = generator_losses(views, discriminator, batch, real.appearance, generation, ranks)
    told = ranks.mean(losses, batch.place)
    require_finite(told, run.epoch, run.step)
    g_optimiser.zero_grad(set_to_none=True)
    ranks.weigh(total(losses), batch.place).backward()
    ranks.sum_gradients(g_optimiser)
    g_optimiser.step()
    return named(told, "generator") | named(d_losses, "discriminator")


def find_positives(
    encoder: IdentityEncoder,
    images: ImageSet,
    loader: Loader,
    settings: GeneratorPretrainingSettings,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> Positives | None:
    """Who may be the same person, in the frozen encoder's eyes; None where no loss and no step asks."""
    if settings.generation.same_person == 0 or settings.epochs == 0:
        return None
    features = embed_all(encoder, images, settings.embed_batch_size, device, ranks)
    cameras = images.camera_id if settings.camera_centred else None
    labels = ranks.first(lambda: cluster(features, settings.clustering, cameras).labels)
    return Positives(labels, loader.with_mesh)


@torch.no_grad()
def appearance_codes(encoder: IdentityEncoder, loader: Loader) -> Tensor:
    """Codes (n, S·D) of images spread evenly over those with a mesh, n ≤ 1,024."""
    chosen = np.unique(np.linspace(0, len(loader.with_mesh) - 1, _MOST_CODES).astype(np.int64))
    parts = [
        encoder(loader.images_at(loader.with_mesh[chosen[start : start + 128]])).appearance
        for start in range(0, len(chosen), 128)
    ]
    return torch.cat(parts)
