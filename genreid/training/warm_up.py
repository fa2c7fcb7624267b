"""Encoder warm-up: contrastive learning against cluster prototypes, from images and cameras alone.

Source: Dai et al., "Cluster Contrast for Unsupervised Person Re-Identification", ACCV 2022
(arXiv 2103.11568), docs/method.md, Encoder warm-up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from genreid.clustering.memory import ClusterMemory, cluster_means
from genreid.clustering.pseudo_labels import Agreement, PseudoLabels, cluster, require_clusters
from genreid.data.colour import stripe_colours
from genreid.data.images import ImageSet
from genreid.data.samplers import identity_batches
from genreid.data.transforms import augment, normalise
from genreid.losses.contrastive import cluster_nce
from genreid.models.encoder import IdentityEncoder
from genreid.progress import Checkpoints, Progress, Report
from genreid.seeding import numpy_rng
from genreid.training.cameras import CameraContrast, first_proxies
from genreid.training.features import Features
from genreid.training.loader import to_device
from genreid.training.precision import autocast
from genreid.training.ranks import ALONE, Ranks
from genreid.training.run import Run, named, require_finite, set_lr, total
from genreid.training.settings.warm_up import WarmUpSettings


def warm_up(
    encoder: IdentityEncoder,
    images: ImageSet,
    settings: WarmUpSettings,
    *,
    device: torch.device,
    checkpoints: Checkpoints,
    progress: Progress,
    agreement: Agreement,
    ranks: Ranks = ALONE,
) -> Iterator[Report]:
    """Train `encoder` in place; yields one report an epoch.

    agreement: maps pseudo-labels to figures that compare them with identities which this code cannot
    reach. ranks: who share the work. Raises GenreidError when the images do not fall into at least two
    clusters.
    """
    optimiser = torch.optim.Adam(encoder.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    run = Run(settings.epochs, settings.steps_per_epoch, encoder=encoder, optimiser=optimiser)
    checkpoints = ranks.checkpoints(checkpoints)
    run.resume(checkpoints, progress, "encoder warm-up")
    ranks.align(encoder)
    embed_size = settings.embed_batch_size
    features = Features(encoder, images, None, embed_size, device, checkpoints, progress, ranks)
    labels: PseudoLabels | None = None

    while run.epoch < settings.epochs:
        if run.step == 0:
            rows = features.of(run, "none")[:, 0]
            run.tensors = ranks.first(partial(begin_epoch, run.epoch, rows, images, settings, labels))
        labels = PseudoLabels(run.tensors["labels"].numpy())
        memory = ClusterMemory.around(run.tensors["slots"].to(device))
        run.tensors["slots"] = memory.rows
        cameras = CameraContrast.of_epoch(settings.camera_contrast, run.tensors, images.camera_id, device)
        set_lr(optimiser, settings.lr, run.epoch, settings.lr_step_epochs)
        encoder.train()

        batches = islice(
            epoch_batches(labels, images, settings, run.epoch), run.step, settings.steps_per_epoch
        )
        for index in batches:
            part = ranks.part(len(index))
            pixels = augment(
                normalise(images.load(index[part.rows])),
                settings.augmentation,
                numpy_rng(settings.seed, "augmentation", run.epoch, run.step),
                part,
            )
            places = torch.from_numpy(index).to(device)
            target = run.tensors["labels"].to(device)[places]
            with autocast(device, settings.precision), ranks.statistics(settings.rank_statistics):
                own = encoder(to_device(pixels, device)).embedding.float()
            embedding = ranks.gather(own, part)
            losses = {"contrast": cluster_nce(embedding, memory.rows, target, settings.temperature)}
            if cameras is not None:  # beyond the paper
                losses |= cameras.losses(embedding, places)
            require_finite(losses, run.epoch, run.step)

            optimiser.zero_grad(set_to_none=True)
            ranks.weigh(total(losses), part).backward()
            ranks.sum_gradients(optimiser)
            optimiser.step()
            ranks.share_running(encoder, settings.rank_statistics)
            memory.update(target, embedding.detach(), keep_old=settings.keep_old)
            if cameras is not None:
                cameras.update(places, embedding.detach(), keep_old=settings.keep_old)

            run.meter.add(named(losses, "loss"), len(index))
            run.finish_step(checkpoints)

        yield run.finish_epoch(labels.figures(agreement))


def begin_epoch(
    epoch: int, rows: Tensor, images: ImageSet, settings: WarmUpSettings, labels: PseudoLabels | None
) -> dict[str, Tensor]:
    """Cluster: the epoch's pseudo-labels (N,), cluster slots (P, D) and proxies of cameras, on the CPU.

    rows: (N, D) embeddings. labels: those of the epoch before, if there was one in this process.
    """
    if epoch >= settings.colour_epochs:
        centred = images.camera_id if settings.camera_centred else None
        labels = cluster(rows, settings.clustering, centred)
    elif labels is None:  # colours do not change
        labels = cluster(colours_of(images), settings.clustering)
    require_clusters(labels, 2)
    targets = torch.from_numpy(labels.labels)
    tensors = {"labels": targets, "slots": cluster_means(rows, targets)}
    return tensors | first_proxies(settings.camera_contrast, targets, images.camera_id, rows)


def colours_of(images: ImageSet) -> Tensor:
    """(N, F) float32 unit rows: the colours of every image's stripes."""
    return torch.from_numpy(stripe_colours(images.load(np.arange(len(images))), images.camera_id))


def epoch_batches(
    labels: PseudoLabels, images: ImageSet, settings: WarmUpSettings, epoch: int
) -> Iterator[np.ndarray]:
    """Batches without end; pass after pass over the pseudo-identities, each in an order of its own."""
    for passes in itertools.count():
        yield from identity_batches(
            labels.labels,
            images.camera_id,
            settings.identities_per_batch,
            settings.images_per_identity,
            numpy_rng(settings.seed, "batches", epoch, passes),
        )
