"""The bricks of the generator and the discriminator (docs/method.md, Networks). B batch, C channels, h×w
map."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["instance", "layer", "none"]

LEAKY_SLOPE = 0.2
ATROUS_DILATIONS = (1, 3, 6, 9)


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """`layer` is that of image-to-image decoders (MUNIT, section 5.1): an image's mean and variance over all
    channels and positions together, then a scale and a shift per channel. Instance norm would wipe out the
    per-channel statistics that AdaIN has just set."""
    if norm == "instance":
        return nn.InstanceNorm2d(channels)
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    return nn.Identity()


class ConvBlock(nn.Module):
    """Padding, convolution (odd `kernel`), norm, leaky ReLU; the size stays, but for `stride`.

    Reflection keeps borders free of an invented black frame; it needs maps larger than kernel // 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        norm: Norm = "none",
        padding: Literal["reflect", "zeros"] = "reflect",
        activate: bool = True,
    ) -> None:
        super().__init__()
        mode = padding if kernel > 1 else "zeros"
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, padding_mode=mode
        )
        self.norm = make_norm(norm, out_channels)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return F.leaky_relu_(x, LEAKY_SLOPE) if self.activate else x


class ResidualBlock(nn.Module):
    """x + two 3×3 convolutions; no activation after the sum."""

    def __init__(self, channels: int, norm: Norm, padding: Literal["reflect", "zeros"] = "reflect") -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, 3, norm=norm, padding=padding)
        self.second = ConvBlock(channels, channels, 3, norm=norm, padding=padding, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.second(self.first(x))
        return y


class AdaptiveResidualBlock(nn.Module):
    """A residual block whose two instance norms take scale and shift from outside (AdaIN: Huang & Belongie
    2017, equation 8).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """x (B,C,h,w); scale and shift (B,2C): the first C of each for the first norm."""
        first_scale, second_scale = scale.chunk(2, dim=1)
        first_shift, second_shift = shift.chunk(2, dim=1)
        y = F.leaky_relu_(adain(self.first(x), first_scale, first_shift), LEAKY_SLOPE)
        return x + adain(self.second(y), second_scale, second_shift)


def adain(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    """Instance norm of x (B,C,h,w), then scale and shift (B,C) of each image's own."""
    normalised = F.instance_norm(x, eps=eps)
    return torch.addcmul(shift[:, :, None, None], normalised, scale[:, :, None, None])


def with_edges(x: Tensor) -> Tensor:
    """(B,C,h,w) → (B,C,h+2,w+2), its border pixels repeated once around it.

    As F.pad does with `replicate`; only a corner's gradients are added in another order.
    """
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], dim=2)
    return torch.cat([x[..., :1], x, x[..., -1:]], dim=3)


class UpsampleConv(nn.Module):
    """Nearest up-sampling ×2 and a 5×5 convolution (edge padding): (B,in,h,w) → (B,out,2h,2w).

    Computed at the small size, at 9 instead of 25 products a pixel: the 5×5 window of an output pixel covers
    3×3 small pixels, several of its taps falling on the same one. Which ones depends on its parity alone,
    so the taps are summed beforehand into one 3×3 kernel for each of the four parities.
    """

    # [parity][small pixel −1, 0, +1][tap −2 … +2]: 1 where the tap falls on the small pixel
    _TAPS = (
        ((1.0, 1, 0, 0, 0), (0, 0, 1, 1, 0), (0, 0, 0, 0, 1)),
        ((1.0, 0, 0, 0, 0), (0, 1, 1, 0, 0), (0, 0, 0, 1, 1)),
    )

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 5)
        self.register_buffer("taps", torch.tensor(self._TAPS), persistent=False)
        self.taps: Tensor

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.einsum("pak,qbl,oikl->opqiab", self.taps, self.taps, self.conv.weight)
        parities = F.conv2d(with_edges(x), kernels.flatten(0, 2))
        assert self.conv.bias is not None
        return F.pixel_shuffle(parities, 2) + self.conv.bias[:, None, None]


class AtrousPyramid(nn.Module):
    """Dilated 3×3 convolutions side by side, fused by a 1×1 (atrous spatial pyramid pooling: Chen et al.
    2017, section 3.3, without its image-level branch).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        branch_channels = max(1, out_channels // len(ATROUS_DILATIONS))
        self.branches = nn.ModuleList(
            AtrousBranch(in_channels, branch_channels, dilation) for dilation in ATROUS_DILATIONS
        )
        self.fuse = ConvBlock(branch_channels * len(ATROUS_DILATIONS), out_channels, 1, norm="instance")

    def forward(self, x: Tensor) -> Tensor:
        """(B,in,h,w) → (B,out,h,w)."""
        fused: Tensor = self.fuse(torch.cat([branch(x) for branch in self.branches], dim=1))
        return fused


class AtrousBranch(nn.Module):
    """One dilated 3×3 convolution, instance norm, leaky ReLU; reflection padding.

    Deviation (docs/method.md, Decisions): the dilation is limited by the map's size, each axis by itself, to
    the share that 9 has of the paper's 64×32 maps: it stays 9 there, and becomes 2 on a 16×8 map. A wider
    reach takes most of its taps from the reflection, and paints bars across the whole image.
    """

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.conv = nn.Conv2d(in_channels, out_channels, 3)
        self.norm = make_norm("instance", out_channels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        down = min(self.dilation, max(1, ATROUS_DILATIONS[-1] * height // 64))
        across = min(self.dilation, max(1, ATROUS_DILATIONS[-1] * width // 32))
        padded = F.pad(x, (across, across, down, down), mode="reflect")
        y = F.conv2d(padded, self.conv.weight, self.conv.bias, dilation=(down, across))
        return F.leaky_relu_(self.norm(y), LEAKY_SLOPE)
