"""The decoder `G`: paints an appearance on a structure."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from genreid.models.blocks import LEAKY_SLOPE, AdaptiveResidualBlock, ConvBlock, UpsampleConv, make_norm

_FIRST_SAY = 0.1  # of the appearance: factor on the weights that give scales and shifts
_FIRST_BRANCH = 0.5  # scale after the second norm of each residual block


class Decoder(nn.Module):
    """Structure (B,C,h,w) and appearance (B,S·D) → normalised pixels (B,3,4h,4w), no output activation.

    docs/method.md, Networks: S AdaIN residual blocks at C channels; 2 × (nearest up-sampling ×2, 5×5
    convolution that halves the channels, layer norm); two 3×3 and a 1×1 convolution. Stripe k of the
    appearance drives block k, not a region, through two 3-layer MLPs of `mlp_width`: one for scales, one for
    shifts. The scale is 1 + what its MLP says, so that weight decay draws it to the plain instance norm, not
    to nothing.

    Deviation: the MLPs read the appearance in units of its spread around its mean over images
    (`start_from`). Averages of feature maps are far from 0 and alike in all images; as they are, it takes
    thousands of steps until one person's colours differ from another's.

    beside: channels that stand beside the features where pixels are made of them; 0 in the paper.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, channels: int, appearance_dim: int, num_stripes: int, mlp_width: int, *, beside: int = 0
    ) -> None:
        super().__init__()
        self.num_stripes = num_stripes
        stripe_dim = appearance_dim // num_stripes
        self.blocks = nn.ModuleList(AdaptiveResidualBlock(channels) for _ in range(num_stripes))
        self.scales = nn.ModuleList(_mlp(stripe_dim, mlp_width, 2 * channels) for _ in range(num_stripes))
        self.shifts = nn.ModuleList(_mlp(stripe_dim, mlp_width, 2 * channels) for _ in range(num_stripes))
        self.register_buffer("mean", torch.zeros(appearance_dim))
        self.register_buffer("spread", torch.ones(appearance_dim))
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
            ConvBlock(quarter + beside, quarter, 3),
            ConvBlock(quarter, quarter, 3),
            ConvBlock(quarter, 3, 1, activate=False),
        )

    @torch.no_grad()
    def initialise(self) -> None:
        """Kaiming normal between channels, smooth over the image; the appearance has a small say at first.

        Deviation (docs/method.md, Decisions): random 5×5 kernels behind an up-sampling paint bars
        and grids that a short training does not unlearn; binomial ones start as a blur. And AdaIN scales
        of ±1 by chance, or residual branches as strong as what they are added to, drown the structure.
        """
        for convolution in (*_convolutions(self.upsample), *_convolutions(self.to_pixels)):
            out_channels, in_channels, size = convolution.weight.shape[:3]
            between = torch.empty(out_channels, in_channels, 1, 1)
            nn.init.kaiming_normal_(between, a=LEAKY_SLOPE, nonlinearity="leaky_relu")
            convolution.weight.copy_(between * _binomial(size))
        for mlp in (*self.scales, *self.shifts):
            mlp[-1].weight.mul_(_FIRST_SAY)  # type: ignore[index, operator]
        for mlp in self.scales:
            _, second = mlp[-1].bias.chunk(2)  # type: ignore[index, union-attr, operator]
            second.fill_(_FIRST_BRANCH - 1)

    @torch.no_grad()
    def silence(self) -> None:
        """Nothing but zeros at first, whatever comes in."""
        last = _convolutions(self.to_pixels)[-1]
        last.weight.zero_()
        assert last.bias is not None
        last.bias.zero_()

    @torch.no_grad()
    def start_from(self, appearance: Tensor) -> None:
        """Take mean and spread from the appearance codes (N, S·D) of some images; they stay."""
        self.mean.copy_(appearance.mean(0))
        self.spread.copy_(appearance.std(0, correction=0).clamp_min(1e-3))

    def forward(self, structure: Tensor, appearance: Tensor, beside: Tensor | None = None) -> Tensor:
        """beside: (B, `beside`, 4h, 4w), if any."""
        x = structure
        stripes = ((appearance - self.mean) / self.spread).chunk(self.num_stripes, dim=1)
        for block, scale, shift, stripe in zip(self.blocks, self.scales, self.shifts, stripes, strict=True):
            x = block(x, 1 + scale(stripe), shift(stripe))
        x = self.upsample(x)
        pixels: Tensor = self.to_pixels(x if beside is None else torch.cat([x, beside], dim=1))
        return pixels


def _convolutions(part: nn.Module) -> list[nn.Conv2d]:
    return [module for module in part.modules() if isinstance(module, nn.Conv2d)]


def _binomial(size: int) -> Tensor:
    """(size, size) weights of a blur that sum to 1: (1), (1 2 1)/4 or (1 4 6 4 1)/16 both ways."""
    row = torch.tensor([math.comb(size - 1, k) for k in range(size)], dtype=torch.float32) / 2 ** (size - 1)
    return row[:, None] * row


def _mlp(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, out_features),
    )
