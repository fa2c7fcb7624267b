"""The identity encoder `E_id`: appearance code for the generator, embedding for retrieval.

Shapes: B batch, H×W input, D channels of the feature map, E embedding width (D, unless it is reduced), h×w
the feature map, S stripes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genreid.models.backbone import RESNETS, ResNetBackbone
from genreid.models.settings import EncoderSettings
from genreid.models.timm_backbone import TimmBackbone


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
