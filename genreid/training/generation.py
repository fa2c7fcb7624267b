"""What G and D learn from generated views: the losses of L_gen, and D's step.

Source: docs/method.md, Generator pretraining; Chen et al., TPAMI 2023 and CVPR 2021. x̂, x_θ, x̃ and x_mix as
in `views`.
Beyond the paper, with `same_person`: nothing else than L_same tells G how a person looks from a side that x
does not show (DG-Net generates within an identity too, by true labels: Zheng et al., CVPR 2019, section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from genreid.data.batch import Batch
from genreid.losses.adversarial import lsgan_fake, lsgan_real, r1_penalty
from genreid.losses.reconstruction import appearance_consistency, l1, l1_within
from genreid.models.canvas import share_of
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import Encoding
from genreid.models.generator import Generator
from genreid.training.precision import autocast
from genreid.training.ranks import ALONE, Ranks
from genreid.training.repair import RepairedViews
from genreid.training.run import Run, frozen, require_finite, total
from genreid.training.settings.generation import GenerationSettings
from genreid.training.settings.precision import Precision
from genreid.training.views import GeneratedViews, ToPaint, paint_together


def adam_pair(
    generator: Generator, discriminator: Discriminator, settings: GenerationSettings
) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """The optimisers of E_str and G, and of D."""

    def adam(module: nn.Module) -> torch.optim.Adam:
        betas = (settings.beta1, settings.beta2)
        return torch.optim.Adam(module.parameters(), settings.lr, betas, weight_decay=settings.weight_decay)

    return adam(generator), adam(discriminator)


class Fakes(Protocol):
    """Pictures (B, 3, H, W) of several kinds."""

    def kinds(self) -> list[Tensor]: ...


def fooling_loss(views: Fakes, discriminator: Discriminator) -> Tensor:
    """L_adv, summed over the kinds of fakes and D's scales. D judges one kind after the other, and holds one
    kind's maps."""

    def fooling(pictures: Tensor) -> Tensor:
        return lsgan_real(discriminator(pictures))

    with frozen(discriminator):
        return torch.stack([with_early_gradient(fooling, pictures) for pictures in views.kinds()]).sum()


def generator_losses(
    views: GeneratedViews,
    discriminator: Discriminator,
    batch: Batch,
    appearance: Tensor,
    settings: GenerationSettings,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """The weighted terms of L_gen; their sum is minimised by E_str and G, and by E_id where it learns.

    L_img = |x̂−x|, L_cyc = |x̃−x|, L_feat = |a(x̂)−a(x)| + |a(x̃)−a(x)|, with detached targets.
    """

    feature = appearance_consistency(
        views.encoded_reconstruction.appearance, views.encoded_cycle.appearance, appearance
    )
    losses = {
        "adversarial": settings.adversarial * fooling_loss(views, discriminator),
        "image": settings.image * l1(views.reconstruction, batch.image),
        "cycle": settings.cycle * l1(views.cycle, batch.image),
        "feature": settings.feature * feature,
    }
    if views.same_person is not None:
        losses["same_person"] = settings.same_person * same_person(views.same_person, batch, ranks)
    return losses


def repair_losses(
    views: RepairedViews,
    discriminator: Discriminator,
    batch: Batch,
    real: Encoding,
    settings: GenerationSettings,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """The weighted terms of L_gen for a generator that repairs; their sum is minimised by E_str and G.

    real: what E_id says of the images. L_feat is taken on E_id's own maps where the truth is known, and on
    codes where it is not. There is no L_img: an image on its own mesh is right as it is.
    """

    def likeness(pictures: Tensor, canvas: Tensor) -> Tensor:
        return alike(pictures, batch.image, share_of(canvas) > 0, batch, ranks)

    canvases = batch.canvases
    assert canvases is not None and canvases.after_turn is not None
    losses = {"cycle": settings.cycle * likeness(views.after_turn, canvases.after_turn)}
    if views.same_person is not None and canvases.same_person is not None:
        losses["same_person"] = settings.same_person * likeness(views.same_person, canvases.same_person)
    if views.encoded_after_turn is not None and views.encoded_turned is not None:
        maps = l1(views.encoded_after_turn.feature_map, real.feature_map)
        codes = l1(views.encoded_turned.appearance, real.appearance)
        losses["feature"] = settings.feature * (maps + codes)
    if views.kinds():
        losses["adversarial"] = settings.adversarial * fooling_loss(views, discriminator)
    return losses


def first_losses(
    generator: Generator,
    batch: Batch,
    appearance: Tensor,
    settings: GenerationSettings,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """The weighted L_img and L_same alone, of pictures that nobody looks at: a small part of a whole step's
    work, and what a generator that knows nothing yet learns most from."""
    positive = [] if batch.positive_mesh is None else [batch.positive_mesh]
    own, *positive = generator.encode_structure(torch.cat([batch.mesh, *positive])).split(len(batch))
    pictures: list[ToPaint] = [(structure, appearance) for structure in (own, *positive)]
    reconstruction, *others = paint_together(generator, pictures)
    losses = {"image": settings.image * l1(reconstruction, batch.image)}
    if others:
        losses["same_person"] = settings.same_person * same_person(others[0], batch, ranks)
    return losses


def same_person(painted: Tensor, batch: Batch, ranks: Ranks) -> Tensor:
    """L_same = |G(E_str(m'_0), a(x)) − x'| where x' shows its person: its background is another."""
    assert batch.positive_image is not None and batch.positive_person is not None
    return alike(painted, batch.positive_image, batch.positive_person > 0.5, batch, ranks)


def alike(prediction: Tensor, target: Tensor, mask: Tensor, batch: Batch, ranks: Ranks) -> Tensor:
    """`l1_within` as a term of the batch: over the pixels of the mask in all ranks' images."""
    return ranks.reweigh(l1_within(prediction, target, mask), mask.sum(), batch.place)


def discriminator_step(
    views: Fakes,
    discriminator: Discriminator,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    settings: GenerationSettings,
    precision: Precision,
    run: Run,
    number: int,
    ranks: Ranks = ALONE,
) -> dict[str, Tensor]:
    """One step of D; returns its weighted terms: LSGAN of each kind of fake, of the real batch once, and R1.

    number: of the step, from the start of the run or of the epoch.
    R1 is lazy (Karras et al., CVPR 2020, section 3.1): every `r1_every` steps, times r1_every; always in
    float32, since squared gradients overflow half precision. D has no batch norm, so that real images and
    each kind of fake are followed backwards one after the other, and no two hold their maps together.
    """
    device = batch.image.device
    optimiser.zero_grad(set_to_none=True)
    losses = real_losses(discriminator, batch.image, settings, precision, number)
    ranks.weigh(total(losses), batch.place).backward()
    for pictures in views.kinds():
        with autocast(device, precision):
            lsgan = lsgan_fake(discriminator(pictures.detach()))
        ranks.weigh(lsgan, batch.place).backward()
        losses["lsgan"] = losses["lsgan"].detach() + lsgan.detach()
    told = ranks.mean(losses, batch.place)
    require_finite(told, run.epoch, run.step)
    ranks.sum_gradients(optimiser)
    optimiser.step()
    return told


def real_losses(
    discriminator: Discriminator,
    image: Tensor,
    settings: GenerationSettings,
    precision: Precision,
    number: int,
) -> dict[str, Tensor]:
    """The weighted terms of D's real branch (B, 3, H, W): LSGAN and, in the steps where it is due, R1."""
    if settings.r1 == 0 or number % settings.r1_every != 0:
        with autocast(image.device, precision):
            return {"lsgan": settings.real * lsgan_real(discriminator(image))}
    image = image.detach().requires_grad_()
    maps = discriminator(image)
    r1 = settings.r1 * settings.r1_every * r1_penalty(maps, image)
    return {"lsgan": settings.real * lsgan_real(maps), "r1": r1}


def with_early_gradient(loss: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """`loss(pictures)`, (), whose gradient is already worked out: what `loss` kept for it is free again.

    A loss is followed backwards when all are added up, and until then each holds the maps of its own network.
    For one that leads to its argument alone that can be done at once, at no cost: what is kept instead is one
    gradient of the pictures' size. No gradient reaches anything else that `loss` uses.
    """
    if not pictures.requires_grad:
        return loss(pictures)
    own = pictures.detach().requires_grad_()
    value = loss(own)
    (gradient,) = torch.autograd.grad(value, own)
    known: Tensor = _Known.apply(pictures, value.detach(), gradient)
    return known


class _Known(torch.autograd.Function):
    """A value and its gradient, both known."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outer[0] * gradient, None, None
