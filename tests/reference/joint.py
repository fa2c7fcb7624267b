"""Joint training (docs/method.md, Joint training; Chen et al., TPAMI 2023): E_id, E_str, G and D learn.

Shapes: N images, B batch, P pseudo-identities, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from genreid.models.encoder import Encoding
from genreid.seeding import numpy_rng, torch_rng
from genreid.training.networks import Networks
from genreid.training.settings.joint import JointSettings
from tests.reference.cameras import Proxies, proxies_if_wanted
from tests.reference.clustering import prototypes_of, pseudo_labels, without_camera_mean
from tests.reference.contrast import Mix, contrast_losses, update_memory
from tests.reference.data import Batch, Data, batches
from tests.reference.generation import (
    Painted,
    adam,
    discriminator_losses,
    generated_images,
    generator_losses,
    paint,
    see,
)
from tests.reference.joint_batches import draw_batch, generator_learns
from tests.reference.learning import Step, descend, embed, gradients, kept, numbers, set_rate, total
from tests.reference.pictures import augmented, on_background


@dataclass(frozen=True)
class Optimisers:
    encoder: torch.optim.SGD
    generator: torch.optim.Adam
    discriminator: torch.optim.Adam

    @classmethod
    def of(cls, networks: Networks, settings: JointSettings) -> Optimisers:
        sgd = torch.optim.SGD(
            networks.encoder.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
        weights = settings.generation
        return cls(sgd, adam(networks.generator, weights), adam(networks.discriminator, weights))


@dataclass(frozen=True)
class Epoch:
    """What an epoch contrasts with. labels (N,), −1 for outliers; prototypes (P, D); memory: the N rows V, or
    the P slots of a cluster memory."""

    labels: np.ndarray
    prototypes: Tensor
    memory: Tensor
    proxies: Proxies | None


def train_joint(networks: Networks, data: Data, settings: JointSettings) -> Iterator[Step]:
    """Train the networks in place; after every step yields where they stand."""
    encoder, seed = networks.encoder, settings.seed
    optimisers = Optimisers.of(networks, settings)
    of_views = settings.contrast.memory_of == "views"
    memory = mean_row(embed(encoder, data, settings.cluster_views if of_views else "none"))
    for number in range(settings.epochs):
        set_rate(optimisers.encoder, settings.lr, number, settings.lr_step_epochs)
        for optimiser in (optimisers.generator, optimisers.discriminator):
            set_rate(optimiser, settings.generation.lr, number, settings.lr_step_epochs)

        rows = memory if settings.cluster_on == "memory" else embed(encoder, data, settings.cluster_views)
        features, num_rows = mean_row(rows), rows.shape[1] if rows.ndim == 3 else 1
        rows, cameras = rows.reshape(-1, rows.shape[-1]), np.repeat(data.camera_id, num_rows)
        centred = without_camera_mean(rows, cameras) if settings.camera_centred else rows
        labels = pseudo_labels(centred, settings.clustering, num_rows)
        prototypes = prototypes_of(features, labels)
        slots = prototypes.clone()
        proxies = proxies_if_wanted(settings.camera_contrast, features, labels, data.camera_id)
        bank = memory if settings.contrast.memory == "instance" else slots
        epoch = Epoch(labels, prototypes, bank, proxies)

        order = batches(
            np.array([i for i in data.with_mesh if labels[i] >= 0]),
            settings.batch_size,
            numpy_rng(seed, "batches", number),
        )
        for step in range(settings.steps_per_epoch):
            rng = numpy_rng(seed, "step", number, step)
            batch = draw_batch(data, next(order), labels, prototypes, settings, number, step, rng)
            negatives = torch_rng(seed, "negatives", number, step)
            losses = joint_step(networks, optimisers, batch, epoch, settings, (number, step), rng, negatives)
            held = {
                "labels": torch.from_numpy(labels),
                "prototypes": prototypes,
                "slots": slots.clone(),
                "memory": memory.clone(),
            }
            if proxies is not None:
                held["proxies"] = proxies.rows.clone()
            yield Step(
                number,
                losses,
                kept(vars(networks) | {f"{name}_optimiser": part for name, part in vars(optimisers).items()}),
                held,
                batch,
            )


def mean_row(rows: Tensor) -> Tensor:
    """Of several rows an image (N, R, D) their normalised mean (N, D); of one that."""
    if rows.ndim == 2:
        return rows
    mean = rows.mean(1)
    return mean / mean.norm(dim=1, keepdim=True)


def joint_step(
    networks: Networks,
    optimisers: Optimisers,
    batch: Batch,
    epoch: Epoch,
    settings: JointSettings,
    place: tuple[int, int],
    rng: np.random.Generator,
    negatives: torch.Generator,
) -> dict[str, float]:
    """One step of D, then one of E_id, E_str and G together, then the memory's; returns the weighted losses.

    place: epoch and step, from 0.
    """
    encoder, generator, discriminator = networks.encoder, networks.generator, networks.discriminator
    weights, contrast = settings.generation, settings.contrast
    learns = generator_learns(settings, *place)
    encoder.train()
    y = epoch.labels[batch.index.numpy()]
    mix = batch.mix
    assert mix is not None
    mix_on = batch.mesh_rotated if contrast.mixup_mesh == "rotated" else batch.mesh

    real = encoder(batch.image)
    code = real.appearance.detach() if settings.detach_appearance else real.appearance
    painted, d_losses, g_losses = None, {}, {}
    if learns:
        painted = paint(
            generator,
            encoder,
            batch,
            code,
            mix if contrast.mixup == "d_mixup" else None,
            mix_on=mix_on,
            show_mixed=batch.background is None and not settings.detach_appearance,
            statistics=settings.generated_batchnorm,
        )
    f_second, f_mix = second_views(networks, batch, real, code, painted, mix, mix_on, settings, rng)

    if painted is not None:
        number = (place[0] * settings.steps_per_epoch + place[1]) // settings.generator_every
        d_losses = discriminator_losses(discriminator, batch.image, painted.fakes, weights, number)
        descend(gradients(total(d_losses), discriminator), optimisers.discriminator)
        g_losses = generator_losses(painted, batch, real.appearance, discriminator, weights)
    f = real.embedding.float()
    if batch.own_share is not None:
        mix = replace(mix, weight=batch.own_share[:, None])
    c_losses = contrast_losses(
        f,
        f_second,
        f_mix,
        mix,
        batch.index,
        epoch.labels,
        epoch.prototypes,
        epoch.memory,
        contrast,
        negatives,
    )

    if epoch.proxies is not None:
        c_losses |= epoch.proxies.losses(f, batch.index, settings.camera_contrast)
    everything = g_losses | c_losses
    teaches_encoder = c_losses if settings.detach_appearance else everything
    teaches_generator = everything if settings.contrast_teaches_generator else g_losses
    if not learns:
        descend(gradients(total(teaches_encoder), encoder), optimisers.encoder)
    elif teaches_encoder.keys() == teaches_generator.keys():  # the paper
        slopes = gradients(total(everything), encoder, generator)
        descend(slopes, optimisers.encoder, optimisers.generator)
    else:
        encoder_slopes = gradients(total(teaches_encoder), encoder, again=True)
        descend(gradients(total(teaches_generator), generator), optimisers.generator)
        descend(encoder_slopes, optimisers.encoder)

    rows = batch.index.tolist() if contrast.memory == "instance" else y.tolist()
    told = f
    if contrast.memory_of == "views":
        mean = (f + f_second) / 2
        told = mean / mean.norm(dim=1, keepdim=True)
    update_memory(epoch.memory, rows, told, contrast.keep_old)
    if epoch.proxies is not None:
        epoch.proxies.update(batch.index, told, contrast.keep_old)
    return numbers(everything, "loss") | numbers(d_losses, "discriminator")


def second_views(
    networks: Networks,
    batch: Batch,
    real: Encoding,
    code: Tensor,
    painted: Painted | None,
    mix: Mix,
    mix_on: Tensor,
    settings: JointSettings,
    rng: np.random.Generator,
) -> tuple[Tensor | None, Tensor | None]:
    """f_θ and f_mix (B, D), None where the settings have none.

    painted: what G learns from in this step, if it learns. Where its pictures teach everybody as they are,
    E_id has seen them already. All others are shown to it as one batch.
    """
    encoder, generator, contrast = networks.encoder, networks.generator, settings.contrast
    statistics = settings.generated_batchnorm
    pictures: dict[str, Tensor] = {}
    found: dict[str, Encoding] = {}
    seen_already = batch.background is None and not settings.detach_appearance
    if painted is not None and settings.contrast_teaches_generator and seen_already:
        if contrast.views == "generated":
            found["second"] = painted.seen_rotated
        if painted.seen_mixed is not None:
            found["mixed"] = painted.seen_mixed

    if contrast.views == "generated":
        rotated = generator(batch.mesh_rotated, code) if painted is None else painted.rotated
        pictures["second"] = on_background(rotated, batch.mesh_rotated, batch)
    elif contrast.views == "warped":
        assert batch.warped is not None
        pictures["second"] = batch.warped
    elif contrast.views == "augmented":
        pictures["second"] = augmented(batch.image, settings.augmentation, rng)
    elif contrast.views == "copy_paste":
        pictures["second"] = on_background(batch.image, batch.mesh, batch)

    if contrast.mixup == "d_mixup":
        mixed = generator(mix_on, mix.of(code)) if painted is None else painted.mixed
        assert mixed is not None
        pictures["mixed"] = on_background(mixed, mix_on, batch)
    elif contrast.mixup in ("body", "garments"):
        assert batch.mixtures is not None
        pictures["mixed"] = batch.mixtures
    elif contrast.mixup == "mixup":
        pictures["mixed"] = mix.of(batch.image)
    elif contrast.mixup == "f_mixup":
        with generated_images(encoder, statistics):
            found["mixed"] = encoder.encode_map(mix.of(real.feature_map))

    if not settings.contrast_teaches_generator and painted is not None:
        pictures = {name: picture.detach() for name, picture in pictures.items()}
    left = {name: picture for name, picture in pictures.items() if name not in found}
    if left:
        found |= dict(zip(left, see(encoder, list(left.values()), statistics), strict=True))
    second, mixture = found.get("second"), found.get("mixed")
    return (
        None if second is None else second.embedding.float(),
        None if mixture is None else mixture.embedding.float(),
    )
