"""The discriminator `D`: real or painted, patch by patch, at several scales."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from genreid.models.blocks import ConvBlock, ResidualBlock
from genreid.models.settings import DiscriminatorSettings


class Discriminator(nn.Module):
    """One small fully convolutional net a scale, on an average-pool pyramid (docs/method.md, Networks).

    A net: 3×3 to w, a stride-2 step to w, another to 2w, residual blocks at 2w, 1×1 to a patch map. No
    norm, so that the gradient penalty is each image's own; zero padding. Run it in float32 or bfloat16,
    never float16: the gradient penalty overflows (docs/method.md, Decisions).
    """

    def __init__(self, settings: DiscriminatorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.scales = nn.ModuleList(
            _patch_net(settings.width, settings.num_blocks) for _ in range(settings.num_scales)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B,3,H,W) → a patch map (B,1,H/4/2^s,W/4/2^s) for each scale s, the finest first."""
        maps = []
        for level, net in enumerate(self.scales):
            if level > 0:
                image = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
            maps.append(net(image))
        return maps


def _patch_net(width: int, num_blocks: int) -> nn.Sequential:
    return nn.Sequential(
        ConvBlock(3, width, 3, padding="zeros"),
        ConvBlock(width, width, 3, stride=2, padding="zeros"),
        ConvBlock(width, 2 * width, 3, stride=2, padding="zeros"),
        *(ResidualBlock(2 * width, norm="none", padding="zeros") for _ in range(num_blocks)),
        nn.Conv2d(2 * width, 1, 1),
    )
