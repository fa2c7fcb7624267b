"""Image → feature map: the residual networks of the field, any width, for small crops too.

Shapes: B batch, H×W input, D = `out_channels`, h×w the final map. `H/h` is 16 for the stems `imagenet…` with
last stride 1 (256×128 → 16×8), 8 for the stem `small` with last stride 1 (64×32 → 8×4).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from genreid.errors import GenreidError
from genreid.models.settings import RESNET_NAMES, Stem

ONEDNN_BLOCK = 16
"""Channels that oneDNN's convolutions take at a time with AVX-512; 8 with AVX2."""


# name → (block, number of blocks in each of the four stages), He et al. 2016, table 1
RESNETS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}
assert tuple(RESNETS) == RESNET_NAMES


class ResNetBackbone(nn.Module):
    """A ResNet without its classifier (He et al. 2016), with the field's last stride of 1 (Luo et al. 2019,
    2.4).

    Built from torchvision's blocks and named as torchvision names them, so that their weights load as they
    are. `base_width` is the number of channels of the first stage (64 in the paper); the others are 2, 4
    and 8 times as wide, times 4 for bottleneck blocks.
    """

    def __init__(self, name: str, base_width: int, stem: Stem, last_stride: int) -> None:
        super().__init__()
        if base_width < 8:  # torch 2.14 corrupts memory in the backward pass of a stride-2 1×1 convolution
            raise GenreidError(f"encoder.base_width is {base_width}; it must be at least 8")
        block, num_blocks = RESNETS[name]
        size = 3 if stem == "small" else 7
        self.conv1 = nn.Conv2d(3, base_width, size, stride=2, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(base_width)
        self.relu: nn.Module = nn.Identity() if stem == "imagenet_no_relu" else nn.ReLU(inplace=True)
        self.maxpool = _max_pool(stem)
        widths = [base_width, 2 * base_width, 4 * base_width, 8 * base_width]
        strides = [1, 2, 2, last_stride]
        in_channels = base_width
        stages = []
        for width, stride, count in zip(widths, strides, num_blocks, strict=True):
            stages.append(_stage(block, in_channels, width, count, stride))
            in_channels = width * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.out_channels = in_channels
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        """(B,3,H,W) → (B,D,h,w)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x

    def _initialise(self) -> None:
        # Kaiming by fan-out, as the published networks were trained from (He et al. 2015, section 2.2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class Shortcut(nn.Conv2d):
    """A 1×1 convolution, whose stride leaves pixels out.

    Below 16 input channels they are left out beforehand: there the backward pass of oneDNN (3.12, in torch
    2.14) writes outside its memory where the layout is channels-last and the stride not 1 (oneDNN's issue
    6035).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W) → (B,D,h,w)."""
        if self.in_channels >= ONEDNN_BLOCK:
            result: Tensor = super().forward(x)
            return result
        vertical, horizontal = self.stride
        return F.conv2d(x[:, :, ::vertical, ::horizontal], self.weight)


def _max_pool(stem: Stem) -> nn.Module:
    if stem == "small":
        return nn.Identity()
    if stem == "imagenet_ceil_pool":
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return nn.MaxPool2d(3, stride=2, padding=1)


def _stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, count: int, stride: int
) -> nn.Sequential:
    out_channels = width * block.expansion
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(
            Shortcut(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
        )
    blocks = [block(in_channels, width, stride, downsample)]
    blocks += [block(out_channels, width) for _ in range(count - 1)]
    return nn.Sequential(*blocks)
