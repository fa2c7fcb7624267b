"""Joint training: E_id learns from the views that G paints, while G goes on learning to paint what E_id sees.

Source: docs/method.md, Joint training; Chen et al., TPAMI 2023. One epoch clusters the images and contrasts
every batch with what it found; `joint_step` is one step of all networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.clustering.memory import ClusterMemory, InstanceMemory, Members, cluster_means
from genreid.clustering.pseudo_labels import Agreement, PseudoLabels, cluster, require_clusters
from genreid.data.batch import Batch
from genreid.data.images import ImageSet
from genreid.errors import GenreidError
from genreid.losses.contrastive import mixup_contrast, prototype_loss, rotation_contrast
from genreid.progress import Checkpoints, Progress, Report
from genreid.seeding import torch_rng
from genreid.training.cameras import CameraContrast, first_proxies
from genreid.training.draws import Positives
from genreid.training.features import Features
from genreid.training.generation import adam_pair, discriminator_step, generator_losses, repair_losses
from genreid.training.loader import Holds, Loader
from genreid.training.mixtures import mixing_of
from genreid.training.networks import Networks
from genreid.training.pictures import generation_picture
from genreid.training.precision import autocast
from genreid.training.ranks import ALONE, Ranks
from genreid.training.repair import RepairedViews
from genreid.training.run import Run, due, named, require_finite, set_lr, set_trainable, total
from genreid.training.settings.joint import ContrastSettings, JointSettings
from genreid.training.targets import Targets
from genreid.training.views import Views, make_views


def train_joint(
    networks: Networks,
    images: ImageSet,
    loader: Loader,
    settings: JointSettings,
    *,
    device: torch.device,
    checkpoints: Checkpoints,
    progress: Progress,
    agreement: Agreement,
    true_labels: PseudoLabels | None = None,
    ranks: Ranks = ALONE,
) -> Iterator[Report]:
    """Train the three networks in place; yields one report an epoch.

    agreement: maps pseudo-labels to figures that compare them with identities which this code cannot reach.
    true_labels: an oracle's, in place of clusters, where the settings want them. ranks: who share the work.
    Raises GenreidError when too few images cluster.
    """
    assert settings.wants_true_labels == (true_labels is not None)
    encoder, generator = networks.encoder, networks.generator
    repairs = generator.repairs and settings.contrast.views == "generated"
    set_trainable(generator, settings.generator_learns)
    optimisers = Optimisers.of(networks, settings)
    memory = InstanceMemory.empty(len(images), encoder.embedding_dim, device)
    run = Run(settings.epochs, settings.steps_per_epoch, **vars(networks), **vars(optimisers), memory=memory)
    checkpoints = ranks.checkpoints(checkpoints)
    run.resume(checkpoints, progress, "joint training")
    ranks.align(*vars(networks).values())
    embed_size = settings.embed_batch_size
    features = Features(encoder, images, loader, embed_size, device, checkpoints, progress, ranks)

    while run.epoch < settings.epochs:
        if run.step == 0:
            run.tensors = begin_epoch(run, features, memory, settings, true_labels)
        labels = PseudoLabels(run.tensors["labels"].numpy())
        targets = epoch_targets(run, memory, settings, images.camera_id, device)
        optimisers.set_lr(run.epoch, settings)
        encoder.train()

        for rng, batch in epoch_batches(run, loader, labels, settings, repairs=repairs, ranks=ranks):
            losses = joint_step(networks, optimisers, batch, targets, settings, run, rng, ranks)
            run.meter.add(losses, batch.place.num)
            run.finish_step(checkpoints)

        pictures = {}
        if ranks.rank == 0 and settings.paints and due(run.epoch, settings.epochs, settings.picture_every):
            pictures["views"] = generation_picture(generator, encoder, loader, settings.seed)
        yield run.finish_epoch(labels.figures(agreement), pictures)


def joint_step(
    networks: Networks,
    optimisers: Optimisers,
    batch: Batch,
    targets: Targets,
    settings: JointSettings,
    run: Run,
    rng: np.random.Generator,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """One step of E_id and, where they learn, of D and then of E_str and G; the memory's after it.

    run: where training is. rng draws augmentations. Returns the weighted terms, detached, as
    figures `loss/term` and `discriminator/term`. Raises FloatingPointError when one is not finite.
    """
    encoder, discriminator = networks.encoder, networks.discriminator
    contrast, generation = settings.contrast, settings.generation
    device, precision = batch.image.device, settings.precision

    # E_id sees x: a(x), f. G paints x̂, x_θ, x̃, x_mix. E_id sees those: f_θ, f_mix; beyond the paper, x_θ and
    # x_mix before backgrounds of other cameras.
    mix = batch.mix
    assert mix is not None
    with autocast(device, precision), ranks.statistics(settings.rank_statistics):
        real = encoder(batch.image)
        learns = settings.generator_due(run.epoch, run.step)  # in the paper always
        views = make_views(networks, batch, real, mix, settings, rng, learns=learns)
    embedding = ranks.gather(real.embedding.float(), batch.place)  # contrast is that of the whole batch
    views = views.gathered(ranks.whole(batch.place))

    # D's step, which counts its own for R1; then L_gen = L_adv + L_img + L_cyc + L_feat, weighted, and beyond
    # the paper L_same
    losses, d_losses = {}, {}
    if views.painted is not None:
        d_optimiser = optimisers.discriminator_optimiser
        number = (run.epoch * settings.steps_per_epoch + run.step) // settings.generator_every
        if views.painted.kinds():
            d_losses = discriminator_step(
                views.painted, discriminator, d_optimiser, batch, generation, precision, run, number, ranks
            )
        with autocast(device, precision):
            if isinstance(views.painted, RepairedViews):
                losses = repair_losses(views.painted, discriminator, batch, real, generation, ranks)
            else:
                losses = generator_losses(
                    views.painted, discriminator, batch, real.appearance, generation, ranks
                )

    # Draws of their own, apart from those of the views.
    draw = torch_rng(settings.seed, "negatives", run.epoch, run.step)
    losses |= contrastive_losses(embedding, views, batch, targets, contrast, draw, ranks)
    told = ranks.mean(losses, batch.place)
    require_finite(told, run.epoch, run.step)

    learning = [optimisers.encoder_optimiser] + ([optimisers.generator_optimiser] if learns else [])
    for optimiser in learning:
        optimiser.zero_grad(set_to_none=True)
    ranks.weigh(total(losses), batch.place).backward()
    ranks.sum_gradients(*learning)
    for optimiser in learning:
        optimiser.step()
    ranks.share_running(encoder, settings.rank_statistics)
    remembered = embedding.detach()
    if contrast.memory_of == "views":  # beyond the paper
        assert views.second is not None
        remembered = F.normalize(remembered + views.second.detach(), dim=1)
    targets.update(ranks.gather(batch.index, batch.place), remembered, keep_old=contrast.keep_old)
    return named(told, "loss") | named(d_losses, "discriminator")


def contrastive_losses(
    embedding: Tensor,
    views: Views,
    batch: Batch,
    targets: Targets,
    contrast: ContrastSettings,
    draw: torch.Generator,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """The terms of w_rot·L_rot + w_id·L_id + w_mix·L_mix, weighted, of the whole batch.

    embedding: f (B, D), and `views` as long; batch: this rank's part. draw: of negatives.
    """
    whole, mix = ranks.whole(batch.place), batch.mix
    index = whole(batch.index)
    label = targets.members.labels_of(index)
    assert mix is not None
    rows = targets.draw(index, contrast.num_negatives, generator=draw)
    rotation = rotation_contrast(
        embedding, views.second, rows, contrast.rotation_temperature, contrast.third_term_negatives
    )
    prototypes, tau_p = targets.prototypes, contrast.prototype_temperature
    prototype = prototype_loss(embedding, prototypes, label, tau_p)
    losses = {
        "rotation": contrast.rotation_weight * rotation,
        "prototype": contrast.prototype_weight * prototype,
    }
    if views.mixed is not None:
        # Beyond the paper, of mixtures on the body: how much of each is shown.
        share = mix.lam if batch.mixtures is None else whole(batch.mixtures.share)
        mixed = mixup_contrast(views.mixed, prototypes, label, label[whole(mix.partner)], share, tau_p)
        losses["mixup"] = contrast.mixup_weight * mixed
    if targets.cameras is not None:  # beyond the paper
        losses |= targets.cameras.losses(embedding, index)
    return losses


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
    run: Run,
    features: Features,
    memory: InstanceMemory,
    settings: JointSettings,
    true_labels: PseudoLabels | None,
) -> dict[str, Tensor]:
    """Cluster: the epoch's pseudo-labels (N,), prototypes (P, D) and cluster slots (P, D), on the CPU.

    Fills the memory at the start of the first one.
    """
    first = run.epoch == 0
    # Beyond the paper: fresh features, of several views, and without the mean of their camera.
    if first or settings.cluster_on == "fresh":
        rows = features.of(run, settings.cluster_views)
    else:
        rows = memory.rows.cpu()[:, None]
    num_rows = rows.shape[1]
    of_image = F.normalize(rows.sum(1), dim=1) if num_rows > 1 else rows[:, 0]
    if first:
        fills = settings.contrast.memory_of == "views"
        memory.fill(of_image if fills else features.of(run, "none")[:, 0])
    return features.ranks.first(partial(found_in, rows, of_image, features.images, settings, true_labels))


def found_in(
    rows: Tensor,
    of_image: Tensor,
    images: ImageSet,
    settings: JointSettings,
    labels: PseudoLabels | None,
) -> dict[str, Tensor]:
    """What `begin_epoch` gives, of rows (N, R, D) and of one row an image (N, D). labels: an oracle's, if
    any."""
    num_rows = rows.shape[1]
    if labels is None:
        cameras = images.camera_id.repeat(num_rows) if settings.camera_centred else None
        labels = cluster(rows.flatten(0, 1), settings.clustering, cameras, rows_per_image=num_rows)
    require_clusters(labels, 2)
    found = torch.from_numpy(labels.labels)
    prototypes = cluster_means(of_image, found)
    tensors = {"labels": found, "prototypes": prototypes, "slots": prototypes.clone()}
    return tensors | first_proxies(settings.camera_contrast, found, images.camera_id, of_image)


def epoch_targets(
    run: Run,
    memory: InstanceMemory,
    settings: JointSettings,
    camera_id: np.ndarray,
    device: torch.device,
) -> Targets:
    """What the epoch contrasts with; banks of clusters and of proxies work on `run.tensors`, so that they are
    kept with them. camera_id: (N,) of all images."""
    bank: InstanceMemory | ClusterMemory = memory
    if settings.contrast.memory == "cluster":
        bank = ClusterMemory.around(run.tensors["slots"].to(device))
        run.tensors["slots"] = bank.rows
    cameras = CameraContrast.of_epoch(settings.camera_contrast, run.tensors, camera_id, device)
    members = Members.of(run.tensors["labels"].to(device))
    return Targets(members, run.tensors["prototypes"].to(device), bank, cameras)


def epoch_batches(
    run: Run,
    loader: Loader,
    labels: PseudoLabels,
    settings: JointSettings,
    *,
    repairs: bool = False,
    ranks: Ranks = ALONE,
) -> Iterator[tuple[np.random.Generator, Batch]]:
    """The batches of the epoch that are still to do, of clustered images with a mesh; each with its step's
    random numbers. The memory rows of all other images stay as they are.

    repairs: whether second views are warped ones that G repairs.
    """
    epoch, with_mesh = run.epoch, loader.with_mesh
    clustered = with_mesh[labels.labels[with_mesh] >= 0]
    if len(clustered) == 0:
        raise GenreidError(
            "no image has both a pseudo-identity and a mesh: look at the summary of `genreid mesh-extract`, "
            "or raise `train_joint.clustering.eps`"
        )
    # Beyond the paper: positives, for L_same, and backgrounds of other cameras.
    pairs = settings.generation.same_person > 0 and settings.generator_learns
    return loader.epoch(
        run,
        clustered,
        settings.batch_size,
        settings.seed,
        Holds(
            backgrounds=settings.changes_background,
            persons=settings.pastes,
            warped=settings.contrast.views == "warped",
            canvases=repairs,
            camera_colours=settings.contrast.camera_colours,
            mixing=mixing_of(torch.from_numpy(labels.labels), run.tensors["prototypes"], settings),
            mirror=settings.mirror,
        ),
        positives=Positives(labels.labels, with_mesh) if pairs else None,
        learns=lambda step: settings.generator_due(epoch, step),
        ranks=ranks,
    )
