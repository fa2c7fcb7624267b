"""The adversarial game: least squares over several scales, and the gradient penalty on real images.

A discriminator gives one patch map (B,1,h,w) a scale. The pictures of a step that were painted together may
be judged together: then a map's rows are `num_views` batches one after the other, and each batch weighs as
if it had been judged alone. All means are over images and patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def lsgan_generator(fake_maps: Sequence[Tensor], num_views: int) -> Tensor:
    """L_adv = Σ_views Σ_scales mean (D(fake) − 1)²; () (Mao et al. 2017, equation 9 without its ½; METHOD,
    L_adv).
    """
    return num_views * _squared_distance(fake_maps, 1.0)


def lsgan_discriminator(
    real_maps: Sequence[Tensor], fake_maps: Sequence[Tensor], num_views: int, real_weight: float
) -> Tensor:
    """real_weight · Σ_scales mean (D(real) − 1)² + Σ_views Σ_scales mean D(fake)²; ().

    Mao et al. 2017, equation 9 without its ½. Deviation (METHOD, Decisions): the real branch counts once a
    step with a weight of its own; the reference program counts it once for each view (`real_weight =
    num_views`). The fakes must come detached from the generator.
    """
    return real_weight * _squared_distance(real_maps, 1.0) + num_views * _squared_distance(fake_maps, 0.0)


def r1_penalty(real_maps: Sequence[Tensor], real_images: Tensor) -> Tensor:
    """Σ_scales mean_images ‖∇_x Σ_patches D_scale(x)‖²; () (Mescheder et al. 2018, equation 9 without γ/2).

    real_maps: the discriminator's maps of `real_images` (B,3,H,W), which must require a gradient; the maps
    must be float32, that is, computed outside autocast: half precision overflows (METHOD, Known traps). Its
    weight, and how often it is due, are the loop's.
    """
    assert real_images.requires_grad, "real images must require a gradient before the discriminator sees them"
    assert all(patches.dtype == torch.float32 for patches in real_maps), "R1 needs float32 maps"
    penalty = real_images.new_zeros(())
    with torch.autocast(device_type=real_images.device.type, enabled=False):
        for patches in real_maps:
            (gradient,) = torch.autograd.grad(patches.sum(), real_images, create_graph=True)
            penalty = penalty + gradient.square().sum(dim=(1, 2, 3)).mean()
    return penalty


def _squared_distance(maps: Sequence[Tensor], value: float) -> Tensor:
    return torch.stack([(patches - value).square().mean() for patches in maps]).sum()
