"""Encoder warm-up (docs/method.md, Encoder warm-up): the cluster-contrast recipe of Dai et al. 2022."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from genreid.models.encoder import IdentityEncoder
from genreid.seeding import numpy_rng
from genreid.training.settings.warm_up import WarmUpSettings
from tests.reference.cameras import proxies_if_wanted
from tests.reference.clustering import prototypes_of, pseudo_labels, without_camera_mean
from tests.reference.contrast import update_memory
from tests.reference.data import Data, identity_batches, pixels
from tests.reference.learning import Step, descend, embed, gradients, kept, numbers, set_rate, total
from tests.reference.pictures import augmented, stripe_colours


def warm_up(encoder: IdentityEncoder, data: Data, settings: WarmUpSettings) -> Iterator[Step]:
    """Train `encoder` in place; after every step yields where it stands."""
    adam = torch.optim.Adam(encoder.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    for epoch in range(settings.epochs):
        set_rate(adam, settings.lr, epoch, settings.lr_step_epochs)
        features = embed(encoder, data)
        clustered = features
        if epoch < settings.colour_epochs:
            clustered = torch.from_numpy(stripe_colours(data.images, data.camera_id))
        elif settings.camera_centred:
            clustered = without_camera_mean(features, data.camera_id)
        labels = pseudo_labels(clustered, settings.clustering)
        slots = prototypes_of(features, labels)
        proxies = proxies_if_wanted(settings.camera_contrast, features, labels, data.camera_id)

        encoder.train()
        for step, index in enumerate(_batches(labels, data.camera_id, settings, epoch)):
            rng = numpy_rng(settings.seed, "augmentation", epoch, step)
            image = augmented(pixels(data.images[index]), settings.augmentation, rng)
            own = torch.from_numpy(labels)[index]
            f = encoder(image).embedding.float()
            losses = {"contrast": F.cross_entropy(f @ slots.T / settings.temperature, own)}
            if proxies is not None:
                losses |= proxies.losses(f, torch.from_numpy(index), settings.camera_contrast)
            descend(gradients(total(losses), encoder), adam)
            update_memory(slots, own.tolist(), f, settings.keep_old)
            held = {"labels": torch.from_numpy(labels), "slots": slots.clone()}
            if proxies is not None:
                proxies.update(torch.from_numpy(index), f, settings.keep_old)
                held["proxies"] = proxies.rows.clone()
            yield Step(
                epoch,
                numbers(losses, "loss"),
                kept({"encoder": encoder, "optimiser": adam}),
                held,
            )


def _batches(
    labels: np.ndarray, camera_id: np.ndarray, settings: WarmUpSettings, epoch: int
) -> Iterator[np.ndarray]:
    """The batches of an epoch: as many passes over the pseudo-identities as its steps need."""

    def endless() -> Iterator[np.ndarray]:
        for number in itertools.count():
            rng = numpy_rng(settings.seed, "batches", epoch, number)
            people, images = settings.identities_per_batch, settings.images_per_identity
            yield from identity_batches(labels, camera_id, people, images, rng)

    return itertools.islice(endless(), settings.steps_per_epoch)
