"""The joint step as it reads in the paper: every pass by itself, every time it is needed.

Each picture goes through E_str, G, E_id and D alone; D sees the real images, and R1 penalises them, once for
every kind of fake; negatives are copied out of the memory. Losses are those of `genreid.training.joint`, so
that with one batch-norm choice (frozen statistics: the others depend on what shares a batch) they are equal.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.clustering.memory import Targets, sample_negatives, sample_positives
from genreid.data.batch import Batch
from genreid.models.batchnorm import generated_images
from genreid.models.discriminator import Discriminator
from genreid.seeding import torch_rng
from genreid.training.joint import Optimisers
from genreid.training.run import Run
from genreid.training.settings import GenerationSettings, JointSettings, Networks
from genreid.training.views import Mix, draw_mix


def naive_step(
    networks: Networks,
    optimisers: Optimisers,
    batch: Batch,
    targets: Targets,
    settings: JointSettings,
    rng: np.random.Generator,
    run: Run,
) -> dict[str, float]:
    """One step of D, then one of E_id, E_str and G; returns every weighted loss."""
    encoder, generator, discriminator = networks.encoder, networks.generator, networks.discriminator
    weights = settings.generation
    mix = draw_mix(len(batch), weights.mixup_alpha, rng, batch.image.device)
    real = encoder(batch.image)
    appearance = real.appearance
    with generated_images(encoder, settings.generated_batchnorm):
        reconstruction = generator(batch.mesh, appearance)
        seen_reconstruction = encoder(reconstruction)
        rotated = generator(batch.mesh_rotated, appearance)
        seen_rotated = encoder(rotated)
        cycle = generator(batch.mesh, seen_rotated.appearance)
        seen_cycle = encoder(cycle)
        mixed = generator(batch.mesh, mix.of(appearance))
        seen_mixed = encoder(mixed)
    fakes = [reconstruction, rotated, cycle, mixed]

    losses = _discriminator_losses(discriminator, batch.image, fakes, weights)
    optimisers.discriminator_optimiser.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    optimisers.discriminator_optimiser.step()

    target = appearance.detach()
    feature = F.l1_loss(seen_reconstruction.appearance, target) + F.l1_loss(seen_cycle.appearance, target)
    learned = {
        "adversarial": weights.adversarial * sum(_squares(discriminator(fake), 1.0) for fake in fakes),
        "image": weights.image * F.l1_loss(reconstruction, batch.image),
        "cycle": weights.cycle * F.l1_loss(cycle, batch.image),
        "feature": weights.feature * feature,
    }
    embeddings = real.embedding, seen_rotated.embedding, seen_mixed.embedding
    learned |= _contrast_losses(
        embeddings,
        batch.index,
        targets,
        mix,
        settings,
        torch_rng(settings.seed, "negatives", run.epoch, run.step),
    )
    optimisers.encoder_optimiser.zero_grad()
    optimisers.generator_optimiser.zero_grad()
    torch.stack(list(learned.values())).sum().backward()
    optimisers.encoder_optimiser.step()
    optimisers.generator_optimiser.step()
    targets.update(batch.index, real.embedding.detach(), keep_old=settings.contrast.keep_old)
    return {name: float(value.detach()) for name, value in (losses | learned).items()}


def _discriminator_losses(
    discriminator: Discriminator, images: Tensor, fakes: list[Tensor], weights: GenerationSettings
) -> dict[str, Tensor]:
    lsgan, r1 = images.new_zeros(()), images.new_zeros(())
    for fake in fakes:
        own = images.detach().clone().requires_grad_()
        maps = discriminator(own)
        lsgan = lsgan + weights.real / len(fakes) * _squares(maps, 1.0)
        lsgan = lsgan + _squares(discriminator(fake.detach()), 0.0)
        for patches in maps:
            (gradient,) = torch.autograd.grad(patches.sum(), own, create_graph=True)
            r1 = r1 + weights.r1 / len(fakes) * gradient.square().sum(dim=(1, 2, 3)).mean()
    return {"lsgan": lsgan, "r1": r1}


def _squares(maps: list[Tensor], value: float) -> Tensor:
    return torch.stack([((patches - value) ** 2).mean() for patches in maps]).sum()


def _contrast_losses(
    embeddings: tuple[Tensor, Tensor, Tensor],
    index: Tensor,
    targets: Targets,
    mix: Mix,
    settings: JointSettings,
    rng: torch.Generator,
) -> dict[str, Tensor]:
    real, rotated, mixed = embeddings
    contrast, rows = settings.contrast, targets.bank.rows
    label = targets.members.labels_of(index)
    chosen = sample_negatives(targets.members, index, contrast.num_negatives, generator=rng)
    positive = rows[sample_positives(targets.members, index, generator=rng)]
    negatives = rows[chosen.index]

    def nce(query: Tensor, positive_row: Tensor) -> Tensor:
        against = torch.einsum("bd,bkd->bk", query, negatives) / contrast.rotation_temperature
        against = against.masked_fill(~chosen.mask, -torch.inf)
        own = (query * positive_row).sum(1, keepdim=True) / contrast.rotation_temperature
        return F.cross_entropy(torch.cat((own, against), 1), torch.zeros_like(label))

    rotation = nce(rotated, rows[index]) + nce(rotated, positive) + nce(real, positive)
    logits = real @ targets.prototypes.T / contrast.prototype_temperature
    mixed_logits = mixed @ targets.prototypes.T / contrast.prototype_temperature
    num = len(targets.prototypes)
    soft = mix.of(F.one_hot(label, num).float())
    return {
        "rotation": contrast.rotation_weight * rotation,
        "prototype": contrast.prototype_weight * F.cross_entropy(logits, label),
        "mixup": contrast.mixup_weight * -(soft * mixed_logits.log_softmax(1)).sum(1).mean(),
    }
