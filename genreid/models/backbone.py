"""Image → feature map: the residual networks of the field, any width, for small crops too.

Shapes: B batch, H×W input, D = `out_channels`, h×w the final map. `H/h` is 16 for the stem `imagenet` with
last stride 1 (256×128 → 16×8), 8 for the stem `small` with last stride 1 (64×32 → 8×4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from genreid.errors import GenreidError

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_WIDTH = 64

# name → (block, number of blocks in each of the four stages), He et al. 2016, table 1
RESNETS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}


class ResNetBackbone(nn.Module):
    """A ResNet without its classifier (He et al. 2016), with the field's last stride of 1 (Luo et al. 2019,
    2.4).

    Built from torchvision's blocks and named as torchvision names them, so that their weights load as they
    are. `base_width` is the number of channels of the first stage (64 in the paper); the others are 2, 4
    and 8 times as wide, times 4 for bottleneck blocks. The stem `imagenet` is a 7×7 convolution of stride 2
    and a max-pool of stride 2; the stem `small` a 3×3 convolution of stride 2 alone, for inputs of which a
    quarter is too little.
    """

    def __init__(self, name: str, base_width: int, stem: str, last_stride: int) -> None:
        super().__init__()
        block, num_blocks = RESNETS[name]
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(3, base_width, 7, stride=2, padding=3, bias=False)
            self.maxpool: nn.Module = nn.MaxPool2d(3, stride=2, padding=1)
        else:
            self.conv1 = nn.Conv2d(3, base_width, 3, stride=2, padding=1, bias=False)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(base_width)
        self.relu = nn.ReLU(inplace=True)
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


def _stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, count: int, stride: int
) -> nn.Sequential:
    out_channels = width * block.expansion
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
        )
    blocks = [block(in_channels, width, stride, downsample)]
    blocks += [block(out_channels, width) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class TimmBackbone(nn.Module):
    """Any backbone of timm that gives feature maps: (B,3,H,W) → (B,D,h,w), its deepest map."""

    def __init__(self, name: str, last_stride: int, pretrained: bool = False) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            known = ", ".join(RESNETS)
            raise GenreidError(
                f"backbone {name!r} is neither one of {known} nor a model of timm; see timm.list_models()"
            )
        options: dict[str, Any] = {} if last_stride == 2 else {"output_stride": 16}
        try:
            network: Any = timm.create_model(name, features_only=True, pretrained=pretrained, **options)
        except (TypeError, NotImplementedError, AssertionError) as error:
            raise GenreidError(
                f"timm's backbone {name!r} gives no feature map at last_stride {last_stride} ({error}); "
                "set last_stride: 2 or take another backbone"
            ) from error
        self.network: nn.Module = network
        self.out_channels: int = network.feature_info.channels()[-1]

    def forward(self, image: Tensor) -> Tensor:
        maps: list[Tensor] = self.network(image)
        return maps[-1]


def imagenet_state(name: str) -> Mapping[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet, from its cache or the network.

    The first published ones (`IMAGENET1K_V1`), which the field's results start from.
    """
    from torchvision.models import get_model_weights

    weights = get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise GenreidError(
            f"the ImageNet weights of {name} cannot be fetched from {weights.url} ({reason}); put the file "
            f"into {torch.hub.get_dir()}/checkpoints, or set pretrained to its path, or to none"
        ) from error
