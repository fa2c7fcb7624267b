"""Joint training: E_id learns from the views that G paints, and G from what E_id sees.

Source: METHOD, stage `train-joint`; Chen et al., TPAMI 2023, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from genreid.clustering.cameras import without_camera_mean
from genreid.clustering.memory import ClusterMemory, InstanceMemory, Members, cluster_means
from genreid.clustering.pseudo_labels import PseudoLabels, PseudoLabelSettings, cluster, require_clusters
from genreid.data.batch import Batch
from genreid.data.images import ImageSet
from genreid.data.samplers import shuffled_batches
from genreid.data.transforms import AugmentationSettings, augment
from genreid.errors import GenreidError
from genreid.models.batchnorm import GeneratedStatistics, generated_images
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import Encoding, IdentityEncoder
from genreid.models.generator import Generator
from genreid.progress import Checkpoints, Progress, Report
from genreid.seeding import numpy_rng, torch_rng
from genreid.training.contrast import ContrastSettings, Embeddings, Targets, contrast_losses
from genreid.training.feed import Feed, embed_all
from genreid.training.generation import (
    GeneratedViews,
    GenerationSettings,
    Mix,
    SecondViews,
    adam_pair,
    discriminator_step,
    draw_mix,
    generate,
    generator_losses,
    paint_second,
)
from genreid.training.partners import Partners
from genreid.training.pictures import generation_picture
from genreid.training.run import (
    Agreement,
    Precision,
    Run,
    autocast,
    cluster_figures,
    compile_networks,
    due,
    named,
    require_finite,
    set_lr,
    set_trainable,
    total,
)
from genreid.training.streets import draw_streets, put_into


@dataclass(frozen=True)
class JointSettings:
    """The section `train_joint`.

    compile: whether torch.compile translates the networks (`run.compile_networks`). generator: whether
    E_str, G and D go on learning (`learns`) or stay as pretrained (`frozen`). cluster_on: what is
    clustered, the moving-average `memory` or `fresh` embeddings; camera_centred: whether without the mean
    of each camera. generated_batchnorm: see `genreid.models.batchnorm`. detach_appearance: whether L_gen
    teaches E_id nothing: a(x) is detached before G paints with it, and E_id's weights take no gradient of
    L_feat and L_cyc. lr, momentum, weight_decay: Nesterov SGD of E_id; every lr falls by 10 every
    `lr_step_epochs`. augmentation: what `contrast.views: augmented` does to the second view.
    """

    seed: int
    precision: Precision
    compile: bool
    contrast: ContrastSettings
    clustering: PseudoLabelSettings
    cluster_on: Literal["memory", "fresh"]
    camera_centred: bool
    generation: GenerationSettings
    generator: Literal["learns", "frozen"]
    generated_batchnorm: GeneratedStatistics
    detach_appearance: bool
    augmentation: AugmentationSettings
    epochs: int
    steps_per_epoch: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    lr_step_epochs: int
    embed_batch_size: int
    picture_every: int

    @property
    def paints(self) -> bool:
        """Whether any view of this run comes from G."""
        return self.contrast.views == "generated" or self.contrast.mixup == "d_mixup"

    @property
    def moves(self) -> bool:
        """Whether second views stand in streets of other cameras."""
        contrast = self.contrast
        return contrast.street == "other_cameras" and (self.paints or contrast.views == "pasted")

    @property
    def generator_learns(self) -> bool:
        """Whether E_str, G and D learn in this run: not where nothing is painted."""
        return self.paints and self.generator == "learns"


@dataclass(frozen=True)
class Networks:
    """E_id; E_str and G; D."""

    encoder: IdentityEncoder
    generator: Generator
    discriminator: Discriminator


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
    encoder, generator, discriminator = networks.encoder, networks.generator, networks.discriminator
    set_trainable(generator, settings.generator_learns)
    if settings.compile:
        compile_networks(encoder.backbone, generator.structure, generator.decoder, discriminator)
    optimisers = Optimisers.of(networks, settings)
    memory = InstanceMemory.empty(len(images), encoder.embedding_dim, device)
    run = Run(settings.epochs, settings.steps_per_epoch, **vars(networks), **vars(optimisers), memory=memory)
    if not run.resume(checkpoints, progress, "joint training"):
        memory.fill(embed_all(encoder, images, settings.embed_batch_size, device))

    while run.epoch < settings.epochs:
        if run.step == 0:
            run.tensors = begin_epoch(encoder, images, memory, settings, device)
        targets = epoch_targets(run, memory, settings, device)
        partners = epoch_partners(run, feed, settings)
        optimisers.set_lr(run.epoch, settings)
        encoder.train()

        for index in epoch_batches(run, feed, settings):
            rng = numpy_rng(settings.seed, "step", run.epoch, run.step)
            draw = torch_rng(settings.seed, "partners", run.epoch, run.step)
            batch = feed.batch(
                index,
                rng,
                partners=None if partners is None else partners.draw(index, draw),
                streets=draw_streets(index, images.camera_id, feed.with_mesh, rng)
                if settings.moves
                else None,
            )
            mix = draw_mix(len(batch), settings.generation.mixup_alpha, rng, device)

            with autocast(device, settings.precision):
                real = encoder(batch.image)
                views, painted = paint_views(networks, batch, real, mix, settings)
                embeddings = embed_views(encoder, batch, real, painted, mix, settings, rng)

            losses, d_losses = {}, {}
            if views is not None:
                generation = settings.generation
                d_optimiser, precision = optimisers.discriminator_optimiser, settings.precision
                d_losses = discriminator_step(
                    views, discriminator, d_optimiser, batch, generation, precision, run
                )
                with autocast(device, settings.precision):
                    losses = generator_losses(views, discriminator, batch, real.appearance, generation)
            negatives = torch_rng(settings.seed, "negatives", run.epoch, run.step)
            losses |= contrast_losses(embeddings, batch.index, targets, mix, settings.contrast, negatives)
            require_finite(losses, run.epoch, run.step)

            optimisers.encoder_optimiser.zero_grad(set_to_none=True)
            optimisers.generator_optimiser.zero_grad(set_to_none=True)
            total(losses).backward()
            optimisers.encoder_optimiser.step()
            optimisers.generator_optimiser.step()

            targets.update(batch.index, embeddings.real.detach(), settings.contrast.keep_old)
            run.meter.add(named(losses, "loss") | named(d_losses, "discriminator"), len(batch))
            run.finish_step(checkpoints)

        pictures = {}
        if settings.paints and due(run.epoch, settings.epochs, settings.picture_every):
            pictures["views"] = generation_picture(generator, encoder, feed, settings.seed)
        labels = PseudoLabels(run.tensors["labels"].numpy())
        yield run.finish_epoch(cluster_figures(labels, agreement), pictures)


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


def epoch_partners(run: Run, feed: Feed, settings: JointSettings) -> Partners | None:
    """Who is painted on whose mesh in this epoch; None where no loss asks."""
    if settings.generation.same_person == 0 or not settings.generator_learns:
        return None
    return Partners(run.tensors["labels"].numpy(), feed.with_mesh)


def epoch_batches(run: Run, feed: Feed, settings: JointSettings) -> Iterator[np.ndarray]:
    """The batches of the epoch that are still to do, drawn from the clustered images with a mesh."""
    clustered = feed.with_mesh[run.tensors["labels"].numpy()[feed.with_mesh] >= 0]
    if len(clustered) == 0:
        raise GenreidError(
            "no image has both a pseudo-identity and a mesh: look at the summary of `genreid mesh-extract`, "
            "or raise `train_joint.clustering.eps`"
        )
    order = numpy_rng(settings.seed, "batches", run.epoch)
    return islice(shuffled_batches(clustered, settings.batch_size, order), run.step, settings.steps_per_epoch)


def paint_views(
    networks: Networks, batch: Batch, real: Encoding, mix: Mix, settings: JointSettings
) -> tuple[GeneratedViews | None, SecondViews]:
    """What G paints of this batch: all that it learns from, where it learns; and what is contrasted."""
    if not settings.paints:
        return None, SecondViews(None, None)
    teaches = not settings.detach_appearance
    appearance = real.appearance if teaches else real.appearance.detach()
    mixes = settings.contrast.mixup == "d_mixup"
    if not settings.generator_learns:
        rotates = settings.contrast.views == "generated"
        return None, paint_second(
            networks.generator, batch, appearance, mix if mixes else None, rotates=rotates
        )
    views = generate(
        networks.generator,
        networks.encoder,
        batch,
        appearance,
        mix if mixes else None,
        encode_mixed=mixes and batch.street is None and teaches,
        batchnorm=settings.generated_batchnorm,
        teaches_encoder=teaches,
        recompute=settings.generation.recompute,
    )
    # What E_id has seen without learning from it, it has to see again for the contrast.
    return views, views.second() if teaches else SecondViews(views.rotated, views.mixed)


def embed_views(
    encoder: IdentityEncoder,
    batch: Batch,
    real: Encoding,
    painted: SecondViews,
    mix: Mix,
    settings: JointSettings,
    rng: np.random.Generator,
) -> Embeddings:
    """f of the images, f_θ of their second views and f_mix of their mixtures, as the settings define them.

    What E_id has seen already while G was learning is not shown to it again; all other pictures share a pass.
    """
    second, mixed = painted.encoded_rotated, painted.encoded_mixed
    pictures: dict[str, Tensor] = {}
    match settings.contrast.views:
        case "generated" if second is None or batch.street is not None:
            assert painted.rotated is not None
            pictures["second"] = moved(painted.rotated, batch.mesh_rotated, batch)
        case "augmented":
            pictures["second"] = augment(batch.image, settings.augmentation, rng)
        case "pasted":
            pictures["second"] = moved(batch.image, batch.mesh, batch)
        case "none":
            second = None
    match settings.contrast.mixup:
        case "d_mixup" if mixed is None:
            assert painted.mixed is not None
            pictures["mixed"] = moved(painted.mixed, batch.mesh, batch)
        case "mixup":
            pictures["mixed"] = mix.of(batch.image)
    with generated_images(encoder, settings.generated_batchnorm):
        if settings.contrast.mixup == "f_mixup":
            mixed = encoder.encode_map(mix.of(real.feature_map))
        if pictures:
            seen = encoder(torch.cat(list(pictures.values()))).split(len(batch))
            found = dict(zip(pictures, seen, strict=True))
            second, mixed = found.get("second", second), found.get("mixed", mixed)
    return Embeddings(
        real.embedding.float(),
        None if second is None else second.embedding.float(),
        None if mixed is None else mixed.embedding.float(),
    )


def moved(pictures: Tensor, mesh: Tensor, batch: Batch) -> Tensor:
    """Painted persons where they are to stand: in their own street, or in that which the batch brings."""
    return pictures if batch.street is None else put_into(batch.street, pictures, mesh)


def check_settings(settings: JointSettings) -> None:
    """Refuse what cannot be combined."""
    if settings.contrast.memory == "cluster" and settings.cluster_on == "memory":
        raise GenreidError(
            "train_joint.contrast.memory is `cluster`, which keeps no row an image to cluster on: "
            "set `train_joint.cluster_on: fresh`"
        )
    if settings.contrast.views == "pasted" and settings.contrast.street == "own":
        raise GenreidError(
            "train_joint.contrast.views is `pasted`, which is the image itself in its own street: "
            "set `train_joint.contrast.street: other_cameras`"
        )
