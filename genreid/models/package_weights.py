"""ImageNet weights that lie in packages (`genreid.zoo`), under the names of timm's networks.

Every weight of the network has to be in the file, and nothing in the file may be without a place: what comes
after the last feature map (a 1×1 convolution, its norm, a classifier) is known and left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from genreid.errors import GenreidError
from genreid.models.settings import PACKAGED_BACKBONES
from genreid.models.weights_file import read_weights
from genreid.zoo.cache import require
from genreid.zoo.table import model_file

Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Mean and standard deviation of the pixels, from 0 to 1, that a network was trained on; RGB."""

_IMAGENET: Statistics = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF: Statistics = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PackageWeights:
    """backbone: timm's name of the network. places: their name → which block of the network (from 0 on, or
    None outside the blocks), and the name there; None for a name that is not known.
    """

    backbone: str
    statistics: Statistics
    places: Callable[[str], tuple[int | None, str] | None]


def _of_mobilenet(name: str) -> tuple[int | None, str] | None:
    """torchvision's first names: `features.0` the stem, 1 to 17 the blocks, 18 the head."""
    found = re.fullmatch(r"features\.(\d+)\.(?:conv\.)?(\d)\.(\w+)", name)
    if not found:
        return None
    number, layer = int(found[1]), int(found[2])
    if number in (0, 18):
        part = (("conv_stem", "bn1") if number == 0 else ("conv_head", "bn2"))[layer]
        return None, f"{part}.{found[3]}"
    convolutions = ("conv_dw", "conv_pw") if number == 1 else ("conv_pw", "conv_dw", "conv_pwl")
    part = convolutions[layer // 3] if layer % 3 == 0 else f"bn{layer // 3 + 1}"
    return number - 1, f"{part}.{found[3]}"


def _of_lite(name: str) -> tuple[int | None, str] | None:
    """efficientnet_lite_pytorch's names; the first block has no expansion, and so counts its norms from 1."""
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    outside["_fc"] = "classifier"
    part, _, what = name.rpartition(".")
    if part in outside:
        return None, f"{outside[part]}.{what}"
    found = re.fullmatch(r"_blocks\.(\d+)\._(expand_conv|depthwise_conv|project_conv|bn(\d))", part)
    if not found:
        return None
    number = int(found[1])
    if found[3]:
        return number, f"bn{int(found[3]) + (number > 0)}.{what}"
    last = "conv_pwl" if number else "conv_pw"
    parts = {"expand_conv": "conv_pw", "depthwise_conv": "conv_dw", "project_conv": last}
    return number, f"{parts[found[2]]}.{what}"


PACKAGED = {
    "mobilenetv2": PackageWeights(PACKAGED_BACKBONES["mobilenetv2"], _IMAGENET, _of_mobilenet),
    "efficientnet_lite0": PackageWeights(PACKAGED_BACKBONES["efficientnet_lite0"], _HALF, _of_lite),
    "efficientnet_lite2": PackageWeights(PACKAGED_BACKBONES["efficientnet_lite2"], _HALF, _of_lite),
}
"""By the names of `genreid.zoo.table`."""

assert PACKAGED.keys() == PACKAGED_BACKBONES.keys()

_LEFT_OUT = re.compile(r"(conv_head|bn2|classifier)\.\w+")


def packaged_for(backbone: str) -> str | None:
    """The name of the packaged weights of this backbone, if there are any."""
    return next((name for name, kept in PACKAGED.items() if kept.backbone == backbone), None)


def read_packaged(name: str, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights `name` for a network whose state is `own`. Raises GenreidError."""
    path = require(name)
    state = read_weights(path, f"run `{model_file(name).command}`")
    return rename(name, state, own)


def rename(name: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` under the names of `own`: each exactly once, in its shape. Raises GenreidError."""
    blocks = _blocks(own)
    renamed: dict[str, Tensor] = {}
    for theirs, tensor in state.items():
        place = PACKAGED[name].places(theirs)
        if place is None or (place[0] is not None and place[0] >= len(blocks)):
            raise GenreidError(f"{name}: {theirs} has no place in {PACKAGED[name].backbone}")
        number, part = place
        if number is None and part not in own and _LEFT_OUT.fullmatch(part):
            continue
        ours = part if number is None else f"{blocks[number]}.{part}"
        if ours not in own or ours in renamed or own[ours].shape != tensor.shape:
            raise GenreidError(f"{name}: {theirs} does not fit {ours} of {PACKAGED[name].backbone}")
        renamed[ours] = tensor
    if missing := sorted(own.keys() - renamed.keys()):
        raise GenreidError(f"{name}: {missing[0]} of {PACKAGED[name].backbone} is not in the file")
    return renamed


def _blocks(names: Iterable[str]) -> list[str]:
    """`blocks.0.0`, `blocks.1.0`, `blocks.1.1` …: the network's blocks in order."""
    found = (re.match(r"blocks\.\d+\.\d+(?=\.)", name) for name in names)
    return list(dict.fromkeys(one[0] for one in found if one))
