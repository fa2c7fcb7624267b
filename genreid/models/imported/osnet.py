"""OSNet, a small network of many scales (Zhou et al., ICCV 2019), and OSNet-AIN (Zhou et al., TPAMI 2021).

Written from the papers; names of weights are ours, and `osnet_names` knows torchreid's. Shapes: B batch, C
channels, H×W the input, h×w a map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from genreid.errors import GenreidError

_NUM_STREAMS = 4
_STAGES = (1, 2, 3)

BlockNorm = Literal["none", "outside", "inside"]
"""Where a block has an instance norm: nowhere, after the residual sum (OSNet with IBN), or at the end of what
is added to it, in the place of a batch norm (OSNet-AIN, TPAMI 2021)."""


@dataclass(frozen=True)
class OsnetShape:
    """What a network is made of, as its weights tell.

    channels: of the stem and the three stages. norms: of each block of each stage. stem_norm: an instance
    norm in the stem instead of a batch norm. embedding_dim: of the linear layer after the pooling, or None.
    """

    channels: tuple[int, int, int, int]
    norms: tuple[tuple[BlockNorm, ...], ...]
    stem_norm: bool
    embedding_dim: int | None


class Osnet(nn.Module):
    """(B,3,H,W) → (B,`feature_dim`): the pooled map, through a linear layer, batch norm and ReLU.

    The stem halves the image twice, the first two stages once more each: H/h is 16 (ICCV 2019, table 1).
    """

    def __init__(self, shape: OsnetShape) -> None:
        super().__init__()
        first, *others = shape.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 7, stride=2, padding=3, bias=False),
            _instance_norm(first) if shape.stem_norm else nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages = []
        for number, (channels, norms) in enumerate(zip(others, shape.norms, strict=True)):
            before = shape.channels[number]
            layers: list[nn.Module] = []
            for norm in norms:
                layers.append(OmniScaleBlock(before, channels, norm))
                before = channels
            stages.append(nn.ModuleDict({"blocks": nn.Sequential(*layers)}))
            # the last stage is followed by the same convolution, and keeps its size
            stages[-1]["transition"] = _pointwise(channels, channels)
        self.stages = nn.ModuleList(stages)
        self.feature_dim = shape.embedding_dim or shape.channels[-1]
        self.embed = None
        if shape.embedding_dim:
            self.embed = nn.Sequential(
                nn.Linear(shape.channels[-1], shape.embedding_dim),
                nn.BatchNorm1d(shape.embedding_dim),
                nn.ReLU(inplace=True),
            )

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for number, stage in enumerate(self.stages, start=1):
            assert isinstance(stage, nn.ModuleDict)
            x = stage["transition"](stage["blocks"](x))
            if number < len(self.stages):
                x = F.avg_pool2d(x, 2)
        pooled = x.mean(dim=(2, 3))
        return pooled if self.embed is None else self.embed(pooled)


class OmniScaleBlock(nn.Module):
    """(B,C,h,w) → (B,D,h,w): streams of one to four light convolutions, added up through one gate, in a
    residual bottleneck (ICCV 2019, section 3.2).
    """

    def __init__(self, in_channels: int, channels: int, norm: BlockNorm) -> None:
        super().__init__()
        width = channels // 4
        self.reduce = _pointwise(in_channels, width)
        self.streams = nn.ModuleList(
            nn.Sequential(*(LightConvolution(width) for _ in range(depth + 1)))
            for depth in range(_NUM_STREAMS)
        )
        self.gate = Gate(width)
        inside = norm == "inside"
        self.expand = nn.Sequential(
            nn.Conv2d(width, channels, 1, bias=False),
            _instance_norm(channels) if inside else nn.BatchNorm2d(channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
            )
        self.norm = _instance_norm(channels) if norm == "outside" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduce(x)
        streams = [self.gate(stream(reduced)) for stream in self.streams]
        mixed = streams[0] + streams[1] + streams[2] + streams[3]
        return F.relu(self.norm(self.expand(mixed) + self.shortcut(x)))


class LightConvolution(nn.Sequential):
    """A 3×3 convolution in two factors: 1×1, then 3×3 of each channel alone (ICCV 2019, section 3.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )


class Gate(nn.Module):
    """Scales each channel of a stream by what the stream itself says: a number from 0 to 1 (ICCV 2019,
    section 3.2, "unified aggregation gate"). All streams of a block share it.
    """

    _NARROWER = 16

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = channels // self._NARROWER
        self.layers = nn.Sequential(
            nn.Conv2d(channels, narrow, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(narrow, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = x * self.layers(x.mean(dim=(2, 3), keepdim=True))
        return scaled


def _pointwise(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def _instance_norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def osnet_names(name: str) -> str | None:
    """Our name for one of torchreid's, of OSNet or OSNet-AIN; None for a name that neither has.

    Both call the stages conv2 to conv4; of a block's streams OSNet calls the first `conv2a.` and those of
    `conv2b` to `conv2d` by their layers, OSNet-AIN all of them `conv2.0.layers.0.`.
    """
    for pattern, ours in _PLACES:
        if found := pattern.fullmatch(name):
            return _inside(ours, found[1])
    found = re.fullmatch(r"conv([234])\.(\d+)\.(.+)", name)
    if not found:
        return None
    block = _in_block(found[3])
    return None if block is None else f"stages.{int(found[1]) - 2}.blocks.{found[2]}.{block}"


_CONVOLUTION = r"((?:conv|bn)\.\w+)"
_PLACES = [
    (re.compile(rf"conv1\.{_CONVOLUTION}"), "stem"),
    (re.compile(rf"conv2\.2\.0\.{_CONVOLUTION}"), "stages.0.transition"),
    (re.compile(rf"conv3\.2\.0\.{_CONVOLUTION}"), "stages.1.transition"),
    (re.compile(rf"pool2\.0\.{_CONVOLUTION}"), "stages.0.transition"),
    (re.compile(rf"pool3\.0\.{_CONVOLUTION}"), "stages.1.transition"),
    (re.compile(rf"conv5\.{_CONVOLUTION}"), "stages.2.transition"),
    (re.compile(r"fc\.([01]\.\w+)"), "embed"),
]


def _inside(ours: str, part: str) -> str:
    """Their `conv.weight` and `bn.bias` are layers 0 and 1 here."""
    return f"{ours}.{part.replace('conv.', '0.').replace('bn.', '1.')}"


def _in_block(name: str) -> str | None:
    """A name within a block."""
    for theirs, ours in (("conv1", "reduce"), ("conv3", "expand"), ("downsample", "shortcut")):
        if found := re.fullmatch(rf"{theirs}\.{_CONVOLUTION}", name):
            return _inside(ours, found[1])
    if found := re.fullmatch(r"gate\.fc([12])\.(\w+)", name):
        return f"gate.layers.{2 * int(found[1]) - 2}.{found[2]}"
    if found := re.fullmatch(r"IN\.(\w+)", name):
        return f"norm.{found[1]}"
    light = r"(conv1|conv2|bn)\.(\w+)"
    if found := re.fullmatch(rf"conv2a\.{light}", name):
        stream, layer, part, what = "0", "0", *found.groups()
    elif found := re.fullmatch(rf"conv2([bcd])\.(\d)\.{light}", name):
        stream, layer, part, what = str("abcd".index(found[1])), *found.groups()[1:]
    elif found := re.fullmatch(rf"conv2\.(\d)\.layers\.(\d)\.{light}", name):
        stream, layer, part, what = found.groups()
    else:
        return None
    return f"streams.{stream}.{layer}.{('conv1', 'conv2', 'bn').index(part)}.{what}"


def shape_of(tensors: dict[str, Tensor], place: str, remedy: str) -> OsnetShape:
    """What network these tensors, under our names, are of.

    An instance norm inside a block goes to where the network has it. Raises GenreidError.
    """
    norms = []
    for stage in range(len(_STAGES)):
        numbers = {
            int(m[1]) for name in tensors if (m := re.match(rf"stages\.{stage}\.blocks\.(\d+)\.", name))
        }
        if numbers != set(range(len(numbers))) or not numbers:
            raise GenreidError(f"{place}: it has not all blocks of stage {stage + 1} of OSNet; {remedy}")
        norms.append(tuple(_norm_of(tensors, f"stages.{stage}.blocks.{n}") for n in sorted(numbers)))
    channels = [_length(tensors, "stem.0.weight", place, remedy)]
    for stage in range(len(_STAGES)):
        channels.append(_length(tensors, f"stages.{stage}.transition.0.weight", place, remedy))
    embedding_dim = len(tensors["embed.0.weight"]) if "embed.0.weight" in tensors else None
    first, second, third, fourth = channels
    stem_norm = "stem.1.running_mean" not in tensors
    return OsnetShape((first, second, third, fourth), tuple(norms), stem_norm, embedding_dim)


def _norm_of(tensors: dict[str, Tensor], block: str) -> BlockNorm:
    if f"{block}.norm.weight" not in tensors:
        return "none"
    if f"{block}.expand.1.weight" in tensors:
        return "outside"
    for what in ("weight", "bias"):
        if f"{block}.norm.{what}" in tensors:
            tensors[f"{block}.expand.1.{what}"] = tensors.pop(f"{block}.norm.{what}")
    return "inside"


def _length(tensors: Mapping[str, Tensor], name: str, place: str, remedy: str) -> int:
    if name not in tensors:
        raise GenreidError(f"{place}: {name} of OSNet is not in it; {remedy}")
    return len(tensors[name])
