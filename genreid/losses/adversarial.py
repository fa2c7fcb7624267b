"""The adversarial game: least squares over several scales, and the gradient penalty on real images.

A discriminator gives one patch map (B,1,h,w) a scale, for pictures of one kind. All means are over images and
patches, and sums over scales.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def lsgan_real(maps: Sequence[Tensor]) -> Tensor:
    """Σ_scales mean (D − 1)²; (): what D minimises over real images, and G over each kind of its fakes.

    Mao et al. 2017, equation 9 without its ½; docs/method.md, Generator pretraining. Deviation
    (docs/method.md, Decisions): D's real branch counts once a step, with a weight of its own; the reference
    program counts it once for each kind of fake.
    """
    return _squared_distance(maps, 1.0)


def lsgan_fake(maps: Sequence[Tensor]) -> Tensor:
    """Σ_scales mean D²; (): what D minimises over each kind of fake, detached from the generator."""
    return _squared_distance(maps, 0.0)


def r1_penalty(real_maps: Sequence[Tensor], real_images: Tensor) -> Tensor:
    """Σ_scales mean_images ‖∇_x Σ_patches D_scale(x)‖²; () (Mescheder et al. 2018, equation 9 without γ/2).

    real_maps: the discriminator's maps of `real_images` (B,3,H,W), which must require a gradient; the maps
    must be float32, that is, computed outside autocast: half precision overflows (docs/method.md, Decisions).
    Its weight, and how often it is due, are the loop's.
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
    # At least in float32: a mean of squares in bfloat16 has three digits.
    exact = [patches.to(torch.promote_types(patches.dtype, torch.float32)) for patches in maps]
    return torch.stack([(patches - value).square().mean() for patches in exact]).sum()
