"""How the pictures of a batch are made that E_id, G and D learn from: rotated views and mixtures of persons.

Source: docs/method.md, Generator pretraining; Chen et al., TPAMI 2023 and CVPR 2021. a is the appearance code
(B, S·D), m_0 and m_θ mesh views (B, 1, H, W):
  x̂ = G(E_str(m_0), a(x))    x_θ = G(E_str(m_θ), a(x))    x̃ = G(E_str(m_0), a(x_θ))
  x_mix = G(E_str(m_0), λ·a(x) + (1−λ)·a(x_π))

Beyond the paper, with `same_person`: x' is another image of x's pseudo-identity and m'_0 its mesh;
G(E_str(m'_0), a(x)) has to look like x'.

Beyond the paper, with `contrast.background: other_cameras`: a rotated view before the image's own background
has background, light and camera in common with the memory row that it is drawn to, and an encoder that looks
at those alone finds it. Before the background of another camera, the person is all that they share.

Shapes: B batch, D embedding width, S stripes, P pseudo-identities, H×W the training size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.data.batch import Batch, Mix
from genreid.data.cutting import ring_px
from genreid.data.transforms import augment
from genreid.models.batchnorm import generated_images
from genreid.models.encoder import Encoding, IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.settings import GeneratedStatistics
from genreid.training.networks import Networks
from genreid.training.repair import RepairedViews, repair
from genreid.training.run import frozen
from genreid.training.settings.joint import JointSettings


@dataclass(frozen=True)
class GeneratedViews:
    """What a G that learns painted of a batch, all (B, 3, H, W), and how E_id sees it.

    reconstruction x̂, rotated x_θ, cycle x̃; mixed x_mix, or None where identities are not mixed by G.
    The encodings of x̂, x_θ and x̃; of x_mix only where it was asked for. same_person: x's code on the mesh of
    its positive, or None where the batch has no positives.
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

    def kinds(self) -> list[Tensor]:
        """The three or four kinds of fakes, each (B, 3, H, W)."""
        kinds = (self.reconstruction, self.rotated, self.cycle, self.mixed)
        return [pictures for pictures in kinds if pictures is not None]


@dataclass(frozen=True)
class Views:
    """What joint training learns from besides the images.

    painted: all that G learns from, None in a step in which it does not. second: f_θ (B, D) float32 unit
    rows, what E_id says of the second views; mixed: f_mix (B, D), of the mixtures; None where there are none.
    """

    painted: GeneratedViews | RepairedViews | None
    second: Tensor | None
    mixed: Tensor | None

    def gathered(self, whole: Callable[[Tensor], Tensor]) -> Views:
        """The same with embeddings of the whole batch, as `whole` makes them of a part's."""
        second, mixed = (None if rows is None else whole(rows) for rows in (self.second, self.mixed))
        return Views(self.painted, second, mixed)


def make_views(
    networks: Networks,
    batch: Batch,
    real: Encoding,
    mix: Mix,
    settings: JointSettings,
    rng: np.random.Generator,
    *,
    learns: bool,
) -> Views:
    """Second views and mixtures of a batch, as the settings define them: the one door for joint training.

    real: what E_id says of the images. rng: draws augmentations. learns: whether G learns in this step, and
    so paints all that it learns from. All that E_id has not seen while G was learning shares one pass.
    """
    contrast, encoder = settings.contrast, networks.encoder
    painted, rotated, mixed = _paint(networks, batch, real, mix, settings, learns=learns)
    found = _seen_already(painted, batch, settings)
    pictures: dict[str, Tensor] = {}
    match contrast.views:
        case "generated" if rotated is not None and "second" not in found:
            repairs = networks.generator.repairs  # before its background already
            pictures["second"] = rotated if repairs else on_background(rotated, batch.mesh_rotated, batch)
        case "warped":
            assert batch.warped is not None
            pictures["second"] = batch.warped
        case "augmented":
            pictures["second"] = augment(batch.image, settings.augmentation, rng, batch.place)
        case "copy_paste":
            assert batch.person is not None and batch.background is not None
            pictures["second"] = before(batch.image, batch.person, batch.background)
    match contrast.mixup:
        case "d_mixup" if mixed is not None and "mixed" not in found:
            pictures["mixed"] = on_background(mixed, mix.mesh_of(batch), batch)
        case "mixup":
            pictures["mixed"] = mix.of(batch.image)
        case "body" | "garments":
            assert batch.mixtures is not None
            pictures["mixed"] = batch.mixtures.pictures
    with generated_images(encoder, settings.generated_batchnorm):
        if contrast.mixup == "f_mixup":
            found["mixed"] = encoder.encode_map(mix.of(real.feature_map))
        if pictures:
            seen = encoder(torch.cat(list(pictures.values()))).split(len(batch))
            found |= zip(pictures, seen, strict=True)
    second, other = (found[name].embedding.float() if name in found else None for name in ("second", "mixed"))
    return Views(painted, second, other)


def _paint(
    networks: Networks, batch: Batch, real: Encoding, mix: Mix, settings: JointSettings, *, learns: bool
) -> tuple[GeneratedViews | RepairedViews | None, Tensor | None, Tensor | None]:
    """All that G learns from, if it `learns`; and x_θ and x_mix as the contrast may see them."""
    generator, teaches = networks.generator, not settings.detach_appearance
    appearance = real.appearance if teaches else real.appearance.detach()
    if batch.canvases is not None:
        return *_repair(networks, batch, appearance, settings, learns=learns), None
    rotates, mixes = settings.contrast.views == "generated", settings.contrast.mixup == "d_mixup"
    if not learns:
        with frozen(generator):
            rotated = generator(batch.mesh_rotated, appearance) if rotates else None
            return None, rotated, generator(mix.mesh_of(batch), mix.of(appearance)) if mixes else None
    views = generate(
        generator,
        networks.encoder,
        batch,
        appearance,
        mix if mixes else None,
        encode_mixed=mixes and teaches and batch.background is None,
        batchnorm=settings.generated_batchnorm,
        teaches_encoder=teaches,
    )
    if settings.contrast_teaches_generator:
        return views, views.rotated, views.mixed
    return views, views.rotated.detach(), None if views.mixed is None else views.mixed.detach()


def _repair(
    networks: Networks, batch: Batch, appearance: Tensor, settings: JointSettings, *, learns: bool
) -> tuple[RepairedViews | None, Tensor]:
    """The same of a G that repairs, which mixes nobody."""
    assert batch.canvases is not None
    generator = networks.generator
    if not learns:
        with frozen(generator):
            return None, generator(batch.canvases.turned, appearance)
    views = repair(
        generator,
        networks.encoder,
        batch,
        appearance,
        settings.generated_batchnorm,
        seen=settings.generation.feature > 0 or _looks(settings),
        judged=settings.generation.adversarial > 0,
        teaches_encoder=not settings.detach_appearance,
    )
    return views, views.turned if settings.contrast_teaches_generator else views.turned.detach()


def _looks(settings: JointSettings) -> bool:
    """Whether E_id may learn from what it sees while G is learning."""
    return settings.contrast_teaches_generator and not settings.detach_appearance


def _seen_already(
    painted: GeneratedViews | RepairedViews | None, batch: Batch, settings: JointSettings
) -> dict[str, Encoding]:
    """What E_id saw while G was learning and may learn from itself, with the person where it is to stand."""
    if painted is None or not _looks(settings):
        return {}
    if isinstance(painted, RepairedViews):
        assert painted.encoded_turned is not None
        return {"second": painted.encoded_turned}
    if batch.background is not None:
        return {}
    found = {"second": painted.encoded_rotated} if settings.contrast.views == "generated" else {}
    return found if painted.encoded_mixed is None else {**found, "mixed": painted.encoded_mixed}


def on_background(pictures: Tensor, mesh: Tensor, batch: Batch) -> Tensor:
    """The persons of pictures (B, 3, H, W), cut out along their meshes (B, 1, H, W), before the backgrounds
    that the batch brings; where it brings none, the pictures as they are."""
    if batch.background is None:
        return pictures
    ring = ring_px(mesh.shape[2])
    body = F.max_pool2d((mesh > -1).float(), 2 * ring + 1, stride=1, padding=ring)
    return before(pictures, body, batch.background)


def before(pictures: Tensor, person: Tensor, background: Tensor) -> Tensor:
    """The persons of pictures (B, 3, H, W), who are `person` (B, 1, H, W) of each pixel, 0 to 1, before
    backgrounds (B, 3, H, W)."""
    composed = person * pictures + (1 - person) * background
    return composed.contiguous(memory_format=torch.channels_last)


ToPaint = tuple[Tensor, Tensor]
"""Structure (B,C,h,w) and appearance code (B, S·D)."""


def paint_together(generator: Generator, pictures: Sequence[ToPaint]) -> tuple[Tensor, ...]:
    """G in one pass over several kinds of pictures: each (B,3,H,W), in their order."""
    structures, codes = zip(*pictures, strict=True)
    painted = generator.paint(torch.cat(structures), torch.cat(codes))
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
) -> GeneratedViews:
    """Paint the views of a batch from the appearance codes (B, S·D) of its images.

    The passes that do not depend on one another go through as one batch: both mesh views through E_str;
    x̂, x_θ and x_mix through G, then through E_id. Only x̃ has to wait, for a(x_θ). So `batchnorm`
    normalises x̂, x_θ and x_mix by the statistics of their common batch, and x̃ by its own.

    teaches_encoder: whether gradients of what E_id sees reach its weights, or the pictures alone.
    """
    positive = [] if batch.positive_mesh is None else [batch.positive_mesh]
    structures = generator.encode_structure(torch.cat([batch.mesh, batch.mesh_rotated, *positive]))
    own, turned, *positive = structures.split(len(batch))
    pictures: list[ToPaint] = [(own, appearance), (turned, appearance)]
    if mix is not None:
        pictures.append((turned if mix.turned else own, mix.of(appearance)))
    pictures += [(structure, appearance) for structure in positive]
    painted = paint_together(generator, pictures)
    encoded = painted[: 3 if mix is not None and encode_mixed else 2]
    with generated_images(encoder, batchnorm), nullcontext() if teaches_encoder else frozen(encoder):
        seen = encoder(torch.cat(encoded)).split(len(batch))
        cycle = generator.paint(own, seen[1].appearance)
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
        same_person=painted[-1] if positive else None,
    )
