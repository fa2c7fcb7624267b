"""What G paints, how E_id sees it, and what E_str, G and D learn from it.

  x̂ = G(E_str(m_0), a(x))    x_θ = G(E_str(m_θ), a(x))    x̃ = G(E_str(m_0), a(x_θ))
  x_mix = G(E_str(m_0), λ·a(x) + (1−λ)·a(x_π))
Shapes: B batch, D width of the feature map, H×W the training size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genreid.models.discriminator import Discriminator
from genreid.models.encoder import Encoding, IdentityEncoder
from genreid.models.generator import Generator
from genreid.training.settings.generation import GenerationSettings
from tests.reference.contrast import Mix
from tests.reference.data import Batch


@contextmanager
def generated_images(encoder: IdentityEncoder, statistics: str) -> Iterator[None]:
    """What batch norm does with generated images, where it learns.

    shared: what it does with real ones. separate: the same, but the running statistics stay as the real ones
    left them. frozen: it takes the running statistics, and they stay.
    """
    norms = [part for part in encoder.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    learning = [norm for norm in norms if norm.training]
    real = [dict(norm.named_buffers()) for norm in learning]
    for norm, buffers in zip(learning, real, strict=True):
        if statistics == "frozen":
            norm.eval()
        if statistics == "separate":
            for name, buffer in buffers.items():
                setattr(norm, name, buffer.clone())
    yield
    for norm, buffers in zip(learning, real, strict=True):
        norm.train()
        for name, buffer in buffers.items():
            if statistics == "separate":
                setattr(norm, name, buffer)


def see(encoder: IdentityEncoder, pictures: Sequence[Tensor], statistics: str) -> list[Encoding]:
    """An encoding for each kind of generated pictures (B, 3, H, W), normalised as one batch."""
    with generated_images(encoder, statistics):
        return encoder(torch.cat(list(pictures))).split(len(pictures[0]))


@dataclass(frozen=True)
class Painted:
    """x̂, x_θ, x̃ and, where identities are mixed by G, x_mix; x's code on the mesh of its positive x', where
    there is one. And what E_id says of them: of x_mix only where it was shown to it."""

    reconstruction: Tensor
    rotated: Tensor
    cycle: Tensor
    mixed: Tensor | None
    same_person: Tensor | None
    seen_reconstruction: Encoding
    seen_rotated: Encoding
    seen_cycle: Encoding
    seen_mixed: Encoding | None

    @property
    def fakes(self) -> list[Tensor]:
        """What D judges."""
        return [self.reconstruction, self.rotated, self.cycle] + ([] if self.mixed is None else [self.mixed])


def paint(
    generator: Generator,
    encoder: IdentityEncoder,
    batch: Batch,
    code: Tensor,
    mix: Mix | None,
    *,
    mix_on: Tensor | None = None,
    show_mixed: bool,
    statistics: str,
) -> Painted:
    """All that G learns from. code: a(x) (B, 4·D). mix_on: the meshes of x_mix, m_0 if None.

    x̂ and x_θ, and x_mix if it is shown to E_id, are normalised as one batch; x̃ comes after them.
    """
    reconstruction = generator(batch.mesh, code)
    rotated = generator(batch.mesh_rotated, code)
    mixed = None if mix is None else generator(batch.mesh if mix_on is None else mix_on, mix.of(code))
    shown = [reconstruction, rotated] + ([mixed] if show_mixed and mixed is not None else [])
    seen = see(encoder, shown, statistics)
    cycle = generator(batch.mesh, seen[1].appearance)
    return Painted(
        reconstruction,
        rotated,
        cycle,
        mixed,
        None if batch.positive_mesh is None else generator(batch.positive_mesh, code),
        seen[0],
        seen[1],
        see(encoder, [cycle], statistics)[0],
        seen[2] if len(seen) == 3 else None,
    )


def generator_losses(
    painted: Painted, batch: Batch, code: Tensor, discriminator: Discriminator, weights: GenerationSettings
) -> dict[str, Tensor]:
    """The weighted terms of L_gen; targets carry no gradient."""
    code = code.detach()
    adversarial = torch.stack([squares(discriminator(fake), 1.0) for fake in painted.fakes]).sum()
    losses = {
        "adversarial": weights.adversarial * adversarial,
        "image": weights.image * apart(painted.reconstruction, batch.image),
        "cycle": weights.cycle * apart(painted.cycle, batch.image),
        "feature": weights.feature
        * (apart(painted.seen_reconstruction.appearance, code) + apart(painted.seen_cycle.appearance, code)),
    }
    if painted.same_person is not None:
        losses["same_person"] = weights.same_person * same_person(painted.same_person, batch)
    return losses


def apart(prediction: Tensor, target: Tensor) -> Tensor:
    """The L1 mean."""
    return (prediction - target).abs().mean()


def same_person(painted: Tensor, batch: Batch) -> Tensor:
    """L_same = |G(E_str(m'_0), a(x)) − x'| where the mesh m'_0 of the positive x' is seen."""
    body = (batch.positive_mesh > -1).expand_as(painted)
    return (painted - batch.positive_image)[body].abs().mean()


def squares(maps: Sequence[Tensor], value: float) -> Tensor:
    """Σ over the scales of mean (D − value)²."""
    return torch.stack([((patches - value) ** 2).mean() for patches in maps]).sum()


def discriminator_losses(
    discriminator: Discriminator,
    image: Tensor,
    fakes: Sequence[Tensor],
    weights: GenerationSettings,
    number: int,
) -> dict[str, Tensor]:
    """What D minimises in its step `number`, from 0: LSGAN of all fakes and of the real images (B, 3, H, W),
    and every `r1_every` steps R1, that many times."""
    image = image.detach().clone().requires_grad_()
    maps = discriminator(image)
    fake = torch.stack([squares(discriminator(pictures.detach()), 0.0) for pictures in fakes]).sum()
    losses = {"lsgan": weights.real * squares(maps, 1.0) + fake}
    if weights.r1 > 0 and number % weights.r1_every == 0:
        slopes = [torch.autograd.grad(patches.sum(), image, create_graph=True)[0] for patches in maps]
        penalty = torch.stack([(slope**2).sum(dim=(1, 2, 3)).mean() for slope in slopes]).sum()
        losses["r1"] = weights.r1 * weights.r1_every * penalty
    return losses


def adam(network: nn.Module, settings: GenerationSettings) -> torch.optim.Adam:
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(network.parameters(), settings.lr, betas, weight_decay=settings.weight_decay)
