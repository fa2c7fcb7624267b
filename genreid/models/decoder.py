"""The decoder `G`: paints an appearance on a structure."""

from __future__ import annotations

from torch import Tensor, nn

from genreid.models.blocks import LEAKY_SLOPE, AdaptiveResidualBlock, ConvBlock, UpsampleConv, make_norm


class Decoder(nn.Module):
    """Structure (B,C,h,w) and appearance (B,S·D) → normalised pixels (B,3,4h,4w), no output activation.

    METHOD, Networks: S AdaIN residual blocks at C channels; 2 × (nearest up-sampling ×2, 5×5 convolution
    that halves the channels, layer norm); two 3×3 and a 1×1 convolution. Stripe k of the appearance drives
    block k, not a region (METHOD, Decisions), through two 3-layer MLPs of `mlp_width`: one for scales, one
    for shifts. The scale is 1 + what its MLP says, so that weight decay draws it to the plain instance
    norm, not to nothing.
    """

    def __init__(self, channels: int, appearance_dim: int, num_stripes: int, mlp_width: int) -> None:
        super().__init__()
        self.num_stripes = num_stripes
        stripe_dim = appearance_dim // num_stripes
        self.blocks = nn.ModuleList(AdaptiveResidualBlock(channels) for _ in range(num_stripes))
        self.scales = nn.ModuleList(_mlp(stripe_dim, mlp_width, 2 * channels) for _ in range(num_stripes))
        self.shifts = nn.ModuleList(_mlp(stripe_dim, mlp_width, 2 * channels) for _ in range(num_stripes))
        half, quarter = channels // 2, channels // 4
        self.upsample = nn.Sequential(
            UpsampleConv(channels, half),
            make_norm("layer", half),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            UpsampleConv(half, quarter),
            make_norm("layer", quarter),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        )
        self.to_pixels = nn.Sequential(
            ConvBlock(quarter, quarter, 3),
            ConvBlock(quarter, quarter, 3),
            ConvBlock(quarter, 3, 1, activate=False),
        )

    def forward(self, structure: Tensor, appearance: Tensor) -> Tensor:
        x = structure
        stripes = appearance.chunk(self.num_stripes, dim=1)
        for block, scale, shift, stripe in zip(self.blocks, self.scales, self.shifts, stripes, strict=True):
            x = block(x, 1 + scale(stripe), shift(stripe))
        pixels: Tensor = self.to_pixels(self.upsample(x))
        return pixels


def _mlp(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, out_features),
    )
