"""From pictures with ImageNet's mean and deviation taken off, as all are here, to what a network knows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genreid.preprocessing import IMAGENET_MEAN, IMAGENET_STD


def change_from_imagenet(mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """A scale and a shift (3,1,1), float64: x·scale + shift is (x·σ + μ − mean) / std, σ and μ ImageNet's."""
    usual_mean, usual_std, own_mean, own_std = (
        torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD, mean, std)
    )
    return usual_std / own_std, (usual_mean - own_mean) / own_std
