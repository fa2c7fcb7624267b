"""The identity encoder `E_id`: appearance code for the generator, embedding for retrieval.

Shapes: B batch, H×W input, D channels of the feature map, E embedding width (D, unless it is reduced), h×w
the feature map, S stripes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from genreid.errors import GenreidError
from genreid.models.backbone import RESNETS, STANDARD_WIDTH, ResNetBackbone, Stem
from genreid.models.package_weights import PACKAGED
from genreid.models.timm_backbone import TimmBackbone
from genreid.ranges import Depth, Width

Pooling = Literal["average", "gem"]


@dataclass(frozen=True)
class EncoderSettings:
    """What the identity encoder is made of.

    backbone: `resnet18` … `resnet152`, or the name of any timm model that gives feature maps.
    base_width: channels of the first stage of a ResNet; 64 is the published network.
    stem: what comes before the first stage, see `backbone.Stem`.
    last_stride: stride of the last stage: 1 (the field's choice) or 2.
    num_stripes: horizontal stripes of the appearance code; the decoder has a residual block for each.
    pooling: of the map for the embedding, `average` or `gem` (generalised mean, its exponent learned).
    embedding_dim: width of the embedding: null for the map's own channels (2048 of a ResNet-50), or a number
        that a linear layer before the neck reduces them to (512 in JVTC).
    pretrained: `none`; `imagenet`, by the library's own loader; a name of `package_weights.PACKAGED`, weights
        out of a package for one of timm's networks; `auto`, `imagenet` where it is cached or can be fetched,
        else the packaged ones of this backbone; or the path of a file of weights named as the library names
        them.
    """

    backbone: str
    base_width: Annotated[int, Interval(ge=8, le=8192)]  # see ResNetBackbone
    stem: Stem
    last_stride: int
    num_stripes: Depth
    pooling: Pooling
    embedding_dim: Width | None
    pretrained: str

    def __post_init__(self) -> None:
        for name, kind in (("stem", Stem), ("pooling", Pooling)):
            if getattr(self, name) not in get_args(kind):
                expected = ", ".join(get_args(kind))
                raise GenreidError(f"encoder.{name} is {getattr(self, name)!r}; it must be one of {expected}")
        if self.last_stride not in (1, 2):
            raise GenreidError(f"encoder.last_stride is {self.last_stride}; it must be 1 or 2")
        if not self.is_standard and (self.backbone not in RESNETS or self.pretrained in ("imagenet", "auto")):
            raise GenreidError(
                f"encoder.base_width {self.base_width} and stem {self.stem} do not go with backbone "
                f"{self.backbone}, pretrained {self.pretrained}; set base_width: {STANDARD_WIDTH} and "
                "stem: imagenet"
            )

        packaged = PACKAGED.get(self.pretrained)
        if packaged is not None and packaged.backbone != self.backbone:
            raise GenreidError(
                f"encoder.pretrained {self.pretrained} holds weights of {packaged.backbone}, and "
                f"encoder.backbone is {self.backbone}; set encoder.backbone: {packaged.backbone}"
            )

    @property
    def pretrained_file(self) -> str | None:
        """The path that `pretrained` is, if it is one."""
        named = self.pretrained in ("none", "imagenet", "auto", *PACKAGED)
        return None if named else self.pretrained

    @property
    def is_standard(self) -> bool:
        """Whether the network is the published one, so that published weights fit."""
        return self.base_width == STANDARD_WIDTH and self.stem != "small"


@dataclass(frozen=True)
class Encoding:
    """What the identity encoder says of a batch.

    feature_map: (B,D,h,w), the backbone's last map.
    appearance: (B,S·D), the map average-pooled to S horizontal stripes, top first: columns k·D to (k+1)·D are
        stripe k.
    embedding: (B,E), unit rows: global pool (→ linear) → BN neck → L2 normalised.
    """

    feature_map: Tensor
    appearance: Tensor
    embedding: Tensor

    def split(self, size: int) -> list[Encoding]:
        """The encodings of consecutive groups of `size` images, for batches that went through together."""
        parts = (self.feature_map.split(size), self.appearance.split(size), self.embedding.split(size))
        return [Encoding(*group) for group in zip(*parts, strict=True)]


class IdentityEncoder(nn.Module):
    """`E_id` (GCL+; docs/method.md, Networks). Retrieval uses the embedding of real images.

    The neck is the field's BNNeck (Luo et al. 2019, 2.5): batch norm whose shift stays at zero.
    Weights start random; `initialisation.build_encoder` seeds them and brings in pretrained ones.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone: ResNetBackbone | TimmBackbone
        if settings.backbone in RESNETS:
            self.backbone = ResNetBackbone(
                settings.backbone, settings.base_width, settings.stem, settings.last_stride
            )
        else:
            self.backbone = TimmBackbone(settings.backbone, settings.last_stride)
        num_channels = self.backbone.out_channels
        self.embedding_dim = settings.embedding_dim or num_channels
        self.appearance_dim = settings.num_stripes * num_channels
        self.pool = GeneralisedMean() if settings.pooling == "gem" else None
        self.reduction = _reduction(num_channels, settings.embedding_dim) if settings.embedding_dim else None
        self.neck = nn.BatchNorm1d(self.embedding_dim)
        self.neck.bias.requires_grad_(False)

    def forward(self, image: Tensor) -> Encoding:
        """(B,3,H,W), ImageNet-normalised → Encoding."""
        return self.encode_map(self.backbone(image))

    def encode_map(self, feature_map: Tensor) -> Encoding:
        """The encoding of a feature map (B,D,h,w): F-mixup mixes maps and goes on from here."""
        stripes = F.adaptive_avg_pool2d(feature_map, (self.settings.num_stripes, 1))
        appearance = stripes.squeeze(3).transpose(1, 2).flatten(1)
        pooled = feature_map.mean(dim=(2, 3)) if self.pool is None else self.pool(feature_map)
        if self.reduction is not None:
            pooled = self.reduction(pooled)
        return Encoding(feature_map, appearance, F.normalize(self.neck(pooled), dim=1))


class GeneralisedMean(nn.Module):
    """(B,D,h,w) → (B,D): the p-th root of the mean p-th power, p learned (Radenović et al. 2019, eq. 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, feature_map: Tensor) -> Tensor:
        powers = feature_map.clamp(min=1e-6).pow(self.p)
        return powers.mean(dim=(2, 3)).pow(1 / self.p)


def _reduction(num_channels: int, embedding_dim: int) -> nn.Linear:
    layer = nn.Linear(num_channels, embedding_dim)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    nn.init.zeros_(layer.bias)
    return layer
