"""What a generator that repairs learns from: warped views of which the truth is an image, and turned ones.

Beyond the paper; docs/method.md, Views by repair. c is a canvas, a(x) the appearance code of an image x:
  ĉ = G(c_turn, a(x))   has to look like x where the person is (L_cyc)
  c' = G(c_same, a(x))  likewise; c_same wears the texture of another image of x's pseudo-identity (L_same)
  x_θ = G(c_θ, a(x))    has no truth: D judges it, and a(x_θ) has to be a(x) (L_adv, L_feat)
No gradient passes through a warp. Shapes: B batch, H×W the training size.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from genreid.data.batch import Batch
from genreid.models.batchnorm import generated_images
from genreid.models.encoder import Encoding, IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.settings import GeneratedStatistics
from genreid.training.run import frozen


@dataclass(frozen=True)
class RepairedViews:
    """What a G that learns made of the canvases of a batch, each (B, 3, H, W), and how E_id sees it.

    after_turn ĉ, turned x_θ, and same_person c', or None where the batch has no positives. The encodings are
    None where nothing is learnt from them. judged: whether D learns from the pictures, and they from D.
    """

    after_turn: Tensor
    turned: Tensor
    same_person: Tensor | None
    encoded_after_turn: Encoding | None
    encoded_turned: Encoding | None
    judged: bool

    def kinds(self) -> list[Tensor]:
        """The kinds of fakes that D judges."""
        return [self.after_turn, self.turned] if self.judged else []


def repair(
    generator: Generator,
    encoder: IdentityEncoder,
    batch: Batch,
    appearance: Tensor,
    batchnorm: GeneratedStatistics,
    *,
    seen: bool,
    judged: bool,
    teaches_encoder: bool,
) -> RepairedViews:
    """Repair all canvases of a batch in one pass, with the codes (B, S·D) of its images.

    seen: whether E_id has to see ĉ and x_θ. batchnorm: how those two, which it sees together, are normalised.
    judged: whether D judges them. teaches_encoder: whether gradients of what E_id sees reach its weights, or
    the pictures alone.
    """
    canvases = batch.canvases
    assert canvases is not None and canvases.after_turn is not None
    shown = [canvases.after_turn, canvases.turned]
    if canvases.same_person is not None:
        shown.append(canvases.same_person)
    made = generator(torch.cat(shown), appearance.repeat(len(shown), 1)).split(len(batch))
    after_turn = turned = None
    if seen:
        with generated_images(encoder, batchnorm), nullcontext() if teaches_encoder else frozen(encoder):
            after_turn, turned = encoder(torch.cat(made[:2])).split(len(batch))
    same_person = made[2] if len(made) > 2 else None
    return RepairedViews(made[0], made[1], same_person, after_turn, turned, judged)
