"""The structure encoder `E_str`: where the body is, from the grey view of its mesh or from a canvas."""

from __future__ import annotations

from torch import Tensor, nn

from genreid.models.blocks import AtrousPyramid, ConvBlock, ResidualBlock


class StructureEncoder(nn.Module):
    """(B,`in_channels`,H,W) in [−1,1] → (B,`out_channels`,H/4,W/4); H and W multiples of 4, from 16 up.

    docs/method.md, Networks: stride-2 convolution to w, 3×3 to 2w, 3×3, stride-2 to 4w, residual blocks,
    atrous pyramid (dilations 1, 3, 6, 9) fused to `out_channels`; instance norm, leaky ReLU 0.2, reflection.
    w is 16 in the paper.
    """

    def __init__(self, width: int, num_blocks: int, out_channels: int, in_channels: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvBlock(in_channels, width, 3, stride=2, norm="instance"),
            ConvBlock(width, 2 * width, 3, norm="instance"),
            ConvBlock(2 * width, 2 * width, 3, norm="instance"),
            ConvBlock(2 * width, 4 * width, 3, stride=2, norm="instance"),
            *(ResidualBlock(4 * width, norm="instance") for _ in range(num_blocks)),
            AtrousPyramid(4 * width, out_channels),
        )

    def forward(self, view: Tensor) -> Tensor:
        structure: Tensor = self.layers(view)
        return structure
