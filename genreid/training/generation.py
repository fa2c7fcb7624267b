"""Generated views of a batch, and the losses of those who paint them and those who judge them.

Source: Chen et al., TPAMI 2023, section 3.1 (view generation) and Chen et al., CVPR 2021; the equations in
METHOD's words: B batch, D embedding width, a appearance code (B, 4·D), m_0 and m_θ mesh views.
  x̂ = G(E_str(m_0), a(x))    x_θ = G(E_str(m_θ), a(x))    x̃ = G(E_str(m_0), a(x_θ))
  x_mix = G(E_str(m_0), λ·a(x) + (1−λ)·a(x_π))

Beyond the paper, with `same_person`: x' is another image of x's pseudo-identity and m'_0 its mesh. The
picture G(E_str(m'_0), a(x)) has to look like x' where the body is. Nothing else tells G how a person
looks from a side that x does not show (DG-Net generates within an identity too, by true labels: Zheng
et al., CVPR 2019, section 3.1).

Beyond the paper, where G carries texture: x_θ is also given what x shows of the surface that m_θ shows. Given
all that x shows of m_0, x̂ could not but be x; it is given what m_θ shows too, so that what a turn by θ hides
has to be filled in, and x tells how. x̃ and x_mix are given nothing: in the one, what x shows would make the
code needless, in the other it would be the wrong person's.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genreid.data.batch import Batch
from genreid.losses.adversarial import lsgan_fake, lsgan_real, r1_penalty
from genreid.losses.reconstruction import appearance_consistency, l1, l1_within
from genreid.models.batchnorm import GeneratedStatistics, generated_images
from genreid.models.discriminator import Discriminator
from genreid.models.encoder import Encoding, IdentityEncoder
from genreid.models.generator import Generator
from genreid.training.frugal import maybe_recomputed, with_early_gradient
from genreid.training.mixing import Mix
from genreid.training.run import Precision, Run, autocast, frozen, require_finite, total


@dataclass(frozen=True)
class GenerationSettings:
    """How generator and discriminator learn, in `pretrain_generator` and in `train_joint` alike.

    adversarial, image, cycle, feature: weights of L_adv, L_img, L_cyc and L_feat. same_person: weight of
    L_same, beyond the paper; 0 for the paper's losses alone. real: weight of D's real
    term, against 1 for each kind of fake. r1: weight of the penalty, taken every `r1_every` steps and then
    multiplied by r1_every. mixup_alpha: λ ~ Beta(α, α). lr, beta1, beta2, weight_decay: Adam of E_str, G, D.
    recompute: whether the maps of E_str and G are computed again on the way back instead of kept: the same
    gradients, in less memory and more time.
    """

    adversarial: float
    image: float
    cycle: float
    feature: float
    same_person: float
    real: float
    r1: float
    r1_every: int
    mixup_alpha: float
    lr: float
    beta1: float
    beta2: float
    weight_decay: float
    recompute: bool


@dataclass(frozen=True)
class GeneratedViews:
    """What G painted of a batch, all (B, 3, H, W), and how E_id sees it.

    reconstruction x̂, rotated x_θ, cycle x̃; mixed x_mix, or None where identities are not mixed by G.
    The encodings of x̂, x_θ and x̃; of x_mix only where it was asked for. same_person: x's code on the mesh of
    its partner, or None where the batch has no partners.
    """

    reconstruction: Tensor
    rotated: Tensor
    cycle: Tensor
    mixed: Tensor | None
    encoded_reconstruction: Encoding
    encoded_rotated: Encoding
    encoded_cycle: Encoding
    encoded_mixed: Encoding | None
    same_person: Tensor | None

    def second(self) -> SecondViews:
        return SecondViews(self.rotated, self.mixed, self.encoded_rotated, self.encoded_mixed)

    def kinds(self) -> list[Tensor]:
        """The three or four kinds of fakes, each (B, 3, H, W)."""
        kinds = (self.reconstruction, self.rotated, self.cycle, self.mixed)
        return [pictures for pictures in kinds if pictures is not None]


@dataclass(frozen=True)
class SecondViews:
    """What G painted for the contrast: x_θ and x_mix (B,3,H,W), None where not wanted, and how E_id sees them
    where it has looked already."""

    rotated: Tensor | None
    mixed: Tensor | None
    encoded_rotated: Encoding | None = None
    encoded_mixed: Encoding | None = None


def paint_second(
    generator: Generator, batch: Batch, appearance: Tensor, mix: Mix | None, *, rotates: bool
) -> SecondViews:
    """x_θ and x_mix alone, by a generator that does not learn; arguments as for `generate`."""
    rotated = generator(batch.mesh_rotated, appearance, batch.carried) if rotates else None
    return SecondViews(rotated, None if mix is None else generator(mix.mesh_of(batch), mix.of(appearance)))


ToPaint = tuple[Tensor, Tensor, Tensor | None]
"""Structure (B,C,h,w), appearance code (B, S·D), and the texture (B,4,H,W) that is known, if any."""


def paint_together(
    generator: Generator, pictures: Sequence[ToPaint], *, recompute: bool
) -> tuple[Tensor, ...]:
    """G in one pass over several kinds of pictures: each (B,3,H,W), in their order."""
    structures, codes, textures = zip(*pictures, strict=True)
    known = [texture for texture in textures if texture is not None]
    carried = None
    if known:
        nothing = torch.zeros_like(known[0])
        carried = torch.cat([nothing if texture is None else texture for texture in textures])
    painted = maybe_recomputed(recompute, generator.paint, torch.cat(structures), torch.cat(codes), carried)
    return painted.split(len(structures[0]))


def generate(
    generator: Generator,
    encoder: IdentityEncoder,
    batch: Batch,
    appearance: Tensor,
    mix: Mix | None,
    *,
    encode_mixed: bool,
    batchnorm: GeneratedStatistics,
    teaches_encoder: bool,
    recompute: bool,
) -> GeneratedViews:
    """Paint the views of a batch from the appearance codes (B, 4·D) of its images.

    The passes that do not depend on one another go through as one batch: both mesh views through E_str;
    x̂, x_θ and x_mix through G, then through E_id. Only x̃ has to wait, for a(x_θ). So `batchnorm`
    normalises x̂, x_θ and x_mix by the statistics of their common batch, and x̃ by its own.

    teaches_encoder: whether gradients of what E_id sees reach its weights, or the pictures alone.
    """
    partner = [] if batch.partner_mesh is None else [batch.partner_mesh]
    meshes = torch.cat([batch.mesh, batch.mesh_rotated, *partner])
    structures = maybe_recomputed(recompute, generator.encode_structure, meshes)
    own, turned, *partner = structures.split(len(batch))
    pictures: list[ToPaint] = [(own, appearance, batch.kept), (turned, appearance, batch.carried)]
    if mix is not None:
        pictures.append((turned if mix.turned else own, mix.of(appearance), None))
    pictures += [(structure, appearance, None) for structure in partner]
    painted = paint_together(generator, pictures, recompute=recompute)
    encoded = painted[: 3 if mix is not None and encode_mixed else 2]
    with generated_images(encoder, batchnorm), nullcontext() if teaches_encoder else frozen(encoder):
        seen = encoder(torch.cat(encoded)).split(len(batch))
        cycle = maybe_recomputed(recompute, generator.paint, own, seen[1].appearance)
        encoded_cycle = encoder(cycle)
    return GeneratedViews(
        reconstruction=painted[0],
        rotated=painted[1],
        cycle=cycle,
        mixed=painted[2] if mix is not None else None,
        encoded_reconstruction=seen[0],
        encoded_rotated=seen[1],
        encoded_cycle=encoded_cycle,
        encoded_mixed=seen[2] if len(seen) > 2 else None,
        same_person=painted[-1] if partner else None,
    )


def adam_pair(
    generator: Generator, discriminator: Discriminator, settings: GenerationSettings
) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """The optimisers of E_str and G, and of D."""

    def adam(module: nn.Module) -> torch.optim.Adam:
        betas = (settings.beta1, settings.beta2)
        return torch.optim.Adam(module.parameters(), settings.lr, betas, weight_decay=settings.weight_decay)

    return adam(generator), adam(discriminator)


def generator_losses(
    views: GeneratedViews,
    discriminator: Discriminator,
    batch: Batch,
    appearance: Tensor,
    settings: GenerationSettings,
) -> dict[str, Tensor]:
    """The weighted terms of L_gen; their sum is minimised by E_str and G, and by E_id where it learns.

    L_img = |x̂−x|, L_cyc = |x̃−x|, L_feat = |a(x̂)−a(x)| + |a(x̃)−a(x)|, with detached targets; L_adv is summed
    over the kinds of fakes and D's scales. D judges one kind after the other, and holds one kind's maps.
    """

    def fooling(pictures: Tensor) -> Tensor:
        return lsgan_real(discriminator(pictures))

    with frozen(discriminator):
        judged = [with_early_gradient(fooling, pictures) for pictures in views.kinds()]
    feature = appearance_consistency(
        views.encoded_reconstruction.appearance, views.encoded_cycle.appearance, appearance
    )
    losses = {
        "adversarial": settings.adversarial * torch.stack(judged).sum(),
        "image": settings.image * l1(views.reconstruction, batch.image),
        "cycle": settings.cycle * l1(views.cycle, batch.image),
        "feature": settings.feature * feature,
    }
    if views.same_person is not None:
        losses["same_person"] = settings.same_person * same_person(views.same_person, batch)
    return losses


def first_losses(
    generator: Generator, batch: Batch, appearance: Tensor, settings: GenerationSettings
) -> dict[str, Tensor]:
    """The weighted L_img and L_same alone, of pictures that nobody looks at: a small part of a whole step's
    work, and what a generator that knows nothing yet learns most from."""
    partner = [] if batch.partner_mesh is None else [batch.partner_mesh]
    own, *partner = generator.encode_structure(torch.cat([batch.mesh, *partner])).split(len(batch))
    pictures: list[ToPaint] = [(own, appearance, batch.kept)]
    pictures += [(structure, appearance, None) for structure in partner]
    reconstruction, *others = paint_together(generator, pictures, recompute=settings.recompute)
    losses = {"image": settings.image * l1(reconstruction, batch.image)}
    if others:
        losses["same_person"] = settings.same_person * same_person(others[0], batch)
    return losses


def same_person(painted: Tensor, batch: Batch) -> Tensor:
    """L_same = |G(E_str(m'_0), a(x)) − x'| where the partner's body is: its street is of another camera."""
    assert batch.partner_image is not None and batch.partner_mesh is not None
    return l1_within(painted, batch.partner_image, batch.partner_mesh > -1)


def discriminator_step(
    views: GeneratedViews,
    discriminator: Discriminator,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    settings: GenerationSettings,
    precision: Precision,
    run: Run,
    number: int,
) -> dict[str, Tensor]:
    """One step of D; returns its weighted terms: LSGAN of each kind of fake, of the real
    batch once, and R1.

    number: of the step, from the start of the run or of the epoch.
    R1 is lazy (Karras et al., CVPR 2020, section 3.1): every `r1_every` steps, times r1_every; always in
    float32, since squared gradients overflow half precision. D has no batch norm, so that real images and
    each kind of fake are followed backwards one after the other, and no two hold their maps together.
    """
    device = batch.image.device
    optimiser.zero_grad(set_to_none=True)
    losses = real_losses(discriminator, batch.image, settings, precision, number)
    total(losses).backward()
    for pictures in views.kinds():
        with autocast(device, precision):
            lsgan = lsgan_fake(discriminator(pictures.detach()))
        lsgan.backward()
        losses["lsgan"] = losses["lsgan"].detach() + lsgan.detach()
    require_finite(losses, run.epoch, run.step)
    optimiser.step()
    return losses


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
    # Past torch.compile, whose translations cannot be differentiated twice.
    maps = discriminator.forward(image)
    r1 = settings.r1 * settings.r1_every * r1_penalty(maps, image)
    return {"lsgan": settings.real * lsgan_real(maps), "r1": r1}
