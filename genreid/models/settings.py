"""What the networks are made of: settings, without the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from annotated_types import Interval

from genreid.errors import GenreidError
from genreid.ranges import Depth, MultipleOf4, Width

STANDARD_WIDTH = 64
RESNET_NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")

PACKAGED_BACKBONES = {
    "mobilenetv2": "mobilenetv2_100",
    "efficientnet_lite0": "tf_efficientnet_lite0",
    "efficientnet_lite2": "tf_efficientnet_lite2",
}
"""Of ImageNet weights that lie in packages, by their names in `genreid.zoo.table`: timm's names."""

Stem = Literal["imagenet", "imagenet_no_relu", "imagenet_ceil_pool", "small"]
"""What comes before the first stage. imagenet: 7×7 convolution of stride 2, batch norm, ReLU, 3×3 max-pool of
stride 2 (input / 4). imagenet_no_relu: without the ReLU, as GCL's and MMT's programs have it.
imagenet_ceil_pool: the max-pool's windows start at the corner instead of one pixel outside, as in fast-reid.
small: a 3×3 convolution of stride 2 alone (input / 2), for crops of 64×32 and the like."""

Pooling = Literal["average", "gem"]
GeneratedStatistics = Literal["separate", "shared", "frozen"]
"""See `genreid.models.batchnorm`."""

Layout = Literal["auto", "jvtc", "spcl", "fast_reid"]
"""jvtc: torchvision's names, then `feat`, `feat_bn` (JVTC, which GCL starts from). spcl: `base.0` …, `feat`,
`feat_bn`, `gap.p` (SpCL, ClusterContrast, ICE, MMT, and what GCL leaves). fast_reid: `backbone.…`,
`heads.bottleneck.…`, `heads.pool_layer.p`. auto: whichever of them fits."""


@dataclass(frozen=True)
class EncoderSettings:
    """What the identity encoder is made of."""

    backbone: str
    """Network that makes the feature map. `resnet18` … `resnet152`, or the name of any timm model that gives
    feature maps."""
    base_width: Annotated[int, Interval(ge=8, le=8192)]  # see ResNetBackbone
    """Channels of a ResNet's first stage [channels]. 64 is the published network."""
    stem: Stem
    """What comes before the first stage. small: for crops of 64×32 and the like; imagenet: the published one;
    the others: as other programs have it."""
    last_stride: int
    """Stride of the last stage, 1 or 2. 1 is the field's choice."""
    num_stripes: Depth
    """Horizontal stripes of the appearance code. The decoder has a residual block for each."""
    pooling: Pooling
    """How the map becomes the embedding. gem: generalised mean, its exponent learned."""
    embedding_dim: Width | None
    """Width of the embedding, null for the map's channels [channels]. A number that a linear layer before the
    neck reduces them to (512 in JVTC)."""
    pretrained: str
    """Weights to start from. none; imagenet: the library's own; mobilenetv2 and its like: weights out of a
    package (`genreid models`); auto: imagenet where it can be had, else the packaged ones of this
    backbone; or the path of a file of weights named as the library names them."""

    def __post_init__(self) -> None:
        for name, kind in (("stem", Stem), ("pooling", Pooling)):
            if getattr(self, name) not in get_args(kind):
                expected = ", ".join(get_args(kind))
                raise GenreidError(f"encoder.{name} is {getattr(self, name)!r}; it must be one of {expected}")
        if self.last_stride not in (1, 2):
            raise GenreidError(f"encoder.last_stride is {self.last_stride}; it must be 1 or 2")
        is_resnet = self.backbone in RESNET_NAMES
        if not self.is_standard and (not is_resnet or self.pretrained in ("imagenet", "auto")):
            raise GenreidError(
                f"encoder.base_width {self.base_width} and stem {self.stem} do not go with backbone "
                f"{self.backbone}, pretrained {self.pretrained}; set base_width: {STANDARD_WIDTH} and "
                "stem: imagenet"
            )

        packaged = PACKAGED_BACKBONES.get(self.pretrained, self.backbone)
        if packaged != self.backbone:
            raise GenreidError(
                f"encoder.pretrained {self.pretrained} holds weights of {packaged}, and "
                f"encoder.backbone is {self.backbone}; set encoder.backbone: {packaged}"
            )

    @property
    def pretrained_file(self) -> str | None:
        """The path that `pretrained` is, if it is one."""
        named = self.pretrained in ("none", "imagenet", "auto", *PACKAGED_BACKBONES)
        return None if named else self.pretrained

    @property
    def is_standard(self) -> bool:
        """Whether the network is the published one, so that published weights fit."""
        return self.base_width == STANDARD_WIDTH and self.stem != "small"


@dataclass(frozen=True)
class GeneratorSettings:
    """What the generator is made of."""

    paints: Literal["codes", "views"]
    """What it paints. codes: new pictures from identity codes; views: corrections of warped views."""
    structure_width: Width
    """Channels after the structure encoder's first convolution [channels]."""
    structure_blocks: Depth
    """Residual blocks of the structure encoder [blocks]."""
    decoder_width: MultipleOf4
    """Channels of structure and AdaIN blocks [channels]."""
    mlp_width: Width
    """Hidden width of the MLPs between appearance and AdaIN [channels]."""


@dataclass(frozen=True)
class DiscriminatorSettings:
    """What the discriminator is made of."""

    width: Width
    """Channels of the first convolution [channels]."""
    num_blocks: Depth
    """Residual blocks of a scale [blocks]."""
    num_scales: Annotated[int, Interval(ge=1, le=8)]
    """Sizes of the picture that are looked at [scales]."""


@dataclass(frozen=True)
class ImportSettings:
    """An encoder that another program trained."""

    path: str
    """File of weights. Relative to the project or absolute."""
    layout: Layout
    """How its weights are named. auto: whichever fits; jvtc: JVTC's, which GCL starts from; spcl: SpCL's,
    ClusterContrast's, ICE's and MMT's; fast_reid: fast-reid's."""
