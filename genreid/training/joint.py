"""Joint training: E_id learns from the views that G paints, and G from what E_id sees.

Source: METHOD, stage `train-joint`; Chen et al., TPAMI 2023, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from genreid.clustering.cameras import without_camera_mean
from genreid.clustering.memory import ClusterMemory, InstanceMemory, Members, cluster_means
from genreid.clustering.pseudo_labels import PseudoLabels, cluster, require_clusters
from genreid.data.batch import Batch
from genreid.data.images import ImageSet
from genreid.data.samplers import shuffled_batches
from genreid.errors import GenreidError
from genreid.models.encoder import IdentityEncoder
from genreid.progress import Checkpoints, Progress, Report
from genreid.seeding import numpy_rng, torch_rng
from genreid.training.agreement import Agreement, cluster_figures
from genreid.training.ahead import batches_ahead
from genreid.training.contrast import Targets, contrast_losses
from genreid.training.feed import Feed, embed_all
from genreid.training.generation import adam_pair, discriminator_step, generator_losses
from genreid.training.joint_settings import JointSettings, Networks, check_settings
from genreid.training.mixing import Mix, draw_mix, nearest_others
from genreid.training.partners import Partners
from genreid.training.pictures import generation_picture
from genreid.training.run import (
    Run,
    autocast,
    compile_networks,
    due,
    named,
    require_finite,
    set_lr,
    set_trainable,
    total,
)
from genreid.training.second_views import embed_views, paint_views
from genreid.training.streets import draw_streets


def train_joint(
    networks: Networks,
    images: ImageSet,
    feed: Feed,
    settings: JointSettings,
    *,
    device: torch.device,
    checkpoints: Checkpoints,
    progress: Progress,
    agreement: Agreement,
) -> Iterator[Report]:
    """Train the three networks in place; yields one report an epoch.

    agreement: maps pseudo-labels to figures that compare them with identities which this code cannot
    reach. Raises GenreidError for settings that exclude each other, and when too few images cluster.
    """
    check_settings(settings)
    encoder, generator = networks.encoder, networks.generator
    set_trainable(generator, settings.generator_learns)
    if settings.compile:
        compile_networks(encoder.backbone, generator.structure, generator.decoder, networks.discriminator)
    optimisers = Optimisers.of(networks, settings)
    memory = InstanceMemory.empty(len(images), encoder.embedding_dim, device)
    run = Run(settings.epochs, settings.steps_per_epoch, **vars(networks), **vars(optimisers), memory=memory)
    if not run.resume(checkpoints, progress, "joint training"):
        memory.fill(embed_all(encoder, images, settings.embed_batch_size, device))

    while run.epoch < settings.epochs:
        if run.step == 0:
            run.tensors = begin_epoch(encoder, images, memory, settings, device)
        targets = epoch_targets(run, memory, settings, device)
        optimisers.set_lr(run.epoch, settings)
        encoder.train()

        for rng, batch in epoch_batches(run, feed, images.camera_id, settings):
            negatives = torch_rng(settings.seed, "negatives", run.epoch, run.step)
            losses = joint_step(networks, optimisers, batch, targets, settings, run, rng, negatives)
            run.meter.add(losses, len(batch))
            run.finish_step(checkpoints)

        pictures = {}
        if settings.paints and due(run.epoch, settings.epochs, settings.picture_every):
            pictures["views"] = generation_picture(generator, encoder, feed, settings.seed)
        labels = PseudoLabels(run.tensors["labels"].numpy())
        yield run.finish_epoch(cluster_figures(labels, agreement), pictures)


def joint_step(
    networks: Networks,
    optimisers: Optimisers,
    batch: Batch,
    targets: Targets,
    settings: JointSettings,
    run: Run,
    rng: np.random.Generator,
    negatives: torch.Generator,
) -> dict[str, Tensor]:
    """One step of E_id and, where they learn, of D and then of E_str and G; the memory's after it.

    run: where training is, for R1 and for errors. rng draws mixtures and augmentations, `negatives` the rows
    that are contrasted with. Returns the weighted terms, detached, as figures `loss/term` and
    `discriminator/term`. Raises GenreidError when one is not finite.
    """
    device, precision, generation = batch.image.device, settings.precision, settings.generation
    mix = draw_mixture(batch, targets, settings, rng)
    with autocast(device, precision):
        real = networks.encoder(batch.image)
        learns = settings.generator_due(run.epoch, run.step)
        views, painted = paint_views(networks, batch, real, mix, settings, learns=learns)
        embeddings = embed_views(networks.encoder, batch, real, painted, mix, settings, rng)

    losses, d_losses, discriminator = {}, {}, networks.discriminator
    if views is not None:
        d_optimiser = optimisers.discriminator_optimiser
        number = (run.epoch * settings.steps_per_epoch + run.step) // settings.generator_every
        d_losses = discriminator_step(
            views, discriminator, d_optimiser, batch, generation, precision, run, number
        )
        with autocast(device, precision):
            losses = generator_losses(views, discriminator, batch, real.appearance, generation)
    losses |= contrast_losses(embeddings, batch.index, targets, mix, settings.contrast, negatives)
    require_finite(losses, run.epoch, run.step)

    learning = (optimisers.encoder_optimiser, optimisers.generator_optimiser)
    for optimiser in learning:
        optimiser.zero_grad(set_to_none=True)
    total(losses).backward()
    for optimiser in learning:
        optimiser.step()
    targets.update(batch.index, embeddings.real.detach(), settings.contrast.keep_old)
    return named(losses, "loss") | named(d_losses, "discriminator")


@dataclass(frozen=True)
class Optimisers:
    """One for each network."""

    encoder_optimiser: torch.optim.SGD
    generator_optimiser: torch.optim.Adam
    discriminator_optimiser: torch.optim.Adam

    @classmethod
    def of(cls, networks: Networks, settings: JointSettings) -> Optimisers:
        encoder = torch.optim.SGD(
            networks.encoder.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
        return cls(encoder, *adam_pair(networks.generator, networks.discriminator, settings.generation))

    def set_lr(self, epoch: int, settings: JointSettings) -> None:
        """Every rate falls at the same epochs."""
        set_lr(self.encoder_optimiser, settings.lr, epoch, settings.lr_step_epochs)
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            set_lr(optimiser, settings.generation.lr, epoch, settings.lr_step_epochs)


def begin_epoch(
    encoder: IdentityEncoder,
    images: ImageSet,
    memory: InstanceMemory,
    settings: JointSettings,
    device: torch.device,
) -> dict[str, Tensor]:
    """Cluster: the epoch's pseudo-labels (N,), prototypes (P, D) and cluster slots (P, D), on the CPU."""
    features = memory.rows.cpu()
    if settings.cluster_on == "fresh":
        features = embed_all(encoder, images, settings.embed_batch_size, device)
    seen = without_camera_mean(features, images.camera_id) if settings.camera_centred else features
    labels = cluster(seen, settings.clustering)
    require_clusters(labels, 2)
    prototypes = cluster_means(features, torch.from_numpy(labels.labels))
    return {
        "labels": torch.from_numpy(labels.labels),
        "prototypes": prototypes,
        "slots": prototypes.clone(),
    }


def epoch_targets(run: Run, memory: InstanceMemory, settings: JointSettings, device: torch.device) -> Targets:
    """What the epoch contrasts with; a cluster bank works on `run.tensors`, so that it is kept with them."""
    bank: InstanceMemory | ClusterMemory = memory
    if settings.contrast.memory == "cluster":
        bank = ClusterMemory.around(run.tensors["slots"].to(device))
        run.tensors["slots"] = bank.rows
    members = Members.of(run.tensors["labels"].to(device))
    return Targets(members, run.tensors["prototypes"].to(device), bank)


def epoch_batches(
    run: Run, feed: Feed, camera_id: np.ndarray, settings: JointSettings
) -> Iterator[tuple[np.random.Generator, Batch]]:
    """The batches of the epoch that are still to do, each with its step's random numbers.

    Drawn from the clustered images with a mesh; each is made while the one before it is learnt from.
    """
    labels, epoch = run.tensors["labels"].numpy(), run.epoch
    clustered = feed.with_mesh[labels[feed.with_mesh] >= 0]
    if len(clustered) == 0:
        raise GenreidError(
            "no image has both a pseudo-identity and a mesh: look at the summary of `genreid mesh-extract`, "
            "or raise `train_joint.clustering.eps`"
        )
    pairs = settings.generation.same_person > 0 and settings.generator_learns
    partners = Partners(labels, feed.with_mesh) if pairs else None
    order = shuffled_batches(clustered, settings.batch_size, numpy_rng(settings.seed, "batches", epoch))

    def make(step: int, index: np.ndarray, rng: np.random.Generator, draw: torch.Generator) -> Batch:
        paired = partners if settings.generator_due(epoch, step) else None
        return feed.batch(
            index,
            rng,
            partners=None if paired is None else paired.draw(index, draw),
            streets=draw_streets(index, camera_id, feed.with_mesh, rng) if settings.moves else None,
        )

    return batches_ahead(order, run, settings.seed, make)


def draw_mixture(batch: Batch, targets: Targets, settings: JointSettings, rng: np.random.Generator) -> Mix:
    """Whom each image of the batch is mixed with, by how much and on which mesh, as settings define it."""
    mix = draw_mix(len(batch), settings.generation.mixup_alpha, rng, batch.image.device)
    if settings.contrast.mixup_partner == "nearest":
        label = targets.members.labels_of(batch.index)
        mix = replace(mix, partner=nearest_others(label, targets.prototypes))
    return replace(mix, turned=settings.contrast.mixup_mesh == "rotated")
