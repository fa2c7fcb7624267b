"""ResNets trained by other programs, as encoders of this one, which can be trained further.

Three ways of naming are known. They also tell apart networks that differ without a trace in the shapes:
whether a ReLU follows the first batch norm, how the first max-pool is padded, how the map is pooled, and the
last stride, which is 1 in all of these programs but fast-reid, where it is a setting. An encoder is imported
with the settings that make it that network, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from genreid.errors import GenreidError
from genreid.models.backbone import RESNETS
from genreid.models.encoder import IdentityEncoder
from genreid.models.imported.names import Renamed, State, load_whole, rename, some, without_wrapper
from genreid.models.settings import EncoderSettings, ImportSettings, Layout
from genreid.models.weights_file import read_weights

_REMEDY = "set pretrain_encoder.import_from to an encoder of JVTC, GCL, SpCL, ClusterContrast or fast-reid"
_STRIPES = 4
"""Of the appearance code, which no other program has: as in the paper."""


@dataclass(frozen=True)
class ImportReport:
    """What an import matched.

    layout: the names it found. num_tensors of the file are in the encoder, num_weights numbers in all.
    left_out: names in the file that an encoder has no use for, such as a classifier's.
    """

    layout: str
    num_tensors: int
    num_weights: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Mapped:
    """A file's tensors under the encoder's names, and the stem and last stride that its program has (None:
    any).
    """

    renamed: Renamed
    stem: str
    last_stride: int | None

    @property
    def tensors(self) -> dict[str, Tensor]:
        return self.renamed.tensors


def import_encoder(settings: EncoderSettings, source: ImportSettings) -> tuple[IdentityEncoder, ImportReport]:
    """The encoder in a file of another program, in evaluation mode, and what matched.

    Raises GenreidError when the file cannot be read safely, its names are of no known layout, `settings`
    describe another network than it holds (the message says which values fit), or not all of the network
    is in it.
    """
    if settings.backbone not in RESNETS:
        raise GenreidError(
            f"encoder.backbone is {settings.backbone}; an encoder can be imported into one of "
            f"{', '.join(RESNETS)} alone"
        )
    state = without_wrapper(read_weights(Path(source.path), _REMEDY))
    layout = recognise(state, source.path) if source.layout == "auto" else source.layout
    mapped = _LAYOUTS[layout](state)
    place = f"{source.path} (layout {layout})"
    _require_whole_backbone(mapped, place, _REMEDY)
    _require_fitting(settings, mapped, place)
    encoder = IdentityEncoder(replace(settings, pretrained="none"))
    load_whole(encoder, mapped.tensors, place, _REMEDY)
    matched = [tensor for name, tensor in mapped.tensors.items() if not name.endswith("num_batches_tracked")]
    num_weights = sum(tensor.numel() for tensor in matched)
    return encoder.eval(), ImportReport(layout, len(matched), num_weights, mapped.renamed.left_out)


def encoder_in(
    state: State, layout: str, last_stride: int, place: str, remedy: str
) -> tuple[IdentityEncoder, tuple[str, ...]]:
    """The encoder that these tensors make, whatever its settings, and the names that were left out.

    last_stride: for a program in which it is a setting. Raises GenreidError where not all of it is there.
    """
    mapped = _LAYOUTS[layout](state)
    _require_whole_backbone(mapped, place, remedy)
    encoder = IdentityEncoder(
        EncoderSettings(**_settings_in(mapped, last_stride), num_stripes=_STRIPES, pretrained="none")
    )
    load_whole(encoder, mapped.tensors, place, remedy)
    return encoder, mapped.renamed.left_out


def recognise(state: State, place: str = "the file") -> str:
    """The layout of these names. Raises GenreidError where it is none that is known."""
    if "base.0.weight" in state:
        return "spcl"
    if "backbone.conv1.weight" in state:
        return "fast_reid"
    if "conv1.weight" in state:
        return "jvtc"
    known = ", ".join(name for name in get_args(Layout) if name != "auto")
    raise GenreidError(
        f"{place}: its names ({some(list(state))}) are of no known layout ({known}); {_REMEDY}"
    )


def _map_jvtc(state: State) -> _Mapped:
    def ours(name: str) -> str | None:
        if _IN_RESNET.match(name):
            return f"backbone.{name}"
        return _neck_name(name)

    return _Mapped(rename(state, ours, r"classifier\.|fc\."), "imagenet", 1)


def _map_spcl(state: State) -> _Mapped:
    """`base` is a sequence: convolution, norm, (ReLU,) max-pool, four stages; two of them have no weights."""
    has_relu = any(name.startswith("base.7.") for name in state)
    first_stage = 4 if has_relu else 3
    parts = {0: "conv1", 1: "bn1"} | {first_stage + i: f"layer{i + 1}" for i in range(4)}

    def ours(name: str) -> str | None:
        found = re.match(r"base\.(\d+)\.(.+)", name)
        if found:
            part = parts.get(int(found[1]))
            return f"backbone.{part}.{found[2]}" if part else None
        return "pool.p" if name == "gap.p" else _neck_name(name)

    return _Mapped(rename(state, ours, "classifier"), "imagenet" if has_relu else "imagenet_no_relu", 1)


def _map_fast_reid(state: State) -> _Mapped:
    def ours(name: str) -> str | None:
        plain = name.removeprefix("backbone.")
        if plain != name and _IN_RESNET.match(plain):
            return name
        if name == "heads.pool_layer.p":
            return "pool.p"
        found = re.match(r"heads\.(?:bottleneck\.\d+|bnneck)\.(.+)", name)
        if not found:
            return None
        # the 1×1 convolution that reduces has four dimensions, the norm after it one
        return f"reduction.{found[1]}" if state[name].ndim == 4 else f"neck.{found[1]}"

    of_training = r"heads\.(weight|classifier|cls_layer)|pixel_(mean|std)"
    mapped = _Mapped(rename(state, ours, of_training), "imagenet_ceil_pool", None)
    if "reduction.weight" in mapped.tensors:
        weight = mapped.tensors["reduction.weight"].flatten(1)
        mapped.tensors["reduction.weight"] = weight
        mapped.tensors.setdefault("reduction.bias", weight.new_zeros(len(weight)))
    return mapped


_LAYOUTS: dict[str, Callable[[State], _Mapped]] = {
    "jvtc": _map_jvtc,
    "spcl": _map_spcl,
    "fast_reid": _map_fast_reid,
}
_IN_RESNET = re.compile(r"(conv1|bn1|layer[1-4])\.")


def _neck_name(name: str) -> str | None:
    for theirs, part in (("feat.", "reduction."), ("feat_bn.", "neck.")):
        if name.startswith(theirs):
            return part + name.removeprefix(theirs)
    return None


def _require_whole_backbone(mapped: _Mapped, place: str, remedy: str) -> None:
    if mapped.renamed.unknown:
        raise GenreidError(
            f"{place}: {some(mapped.renamed.unknown)} have no place in a ResNet with a batch-norm neck; such "
            f"parts (instance norm, attention, non-local blocks) cannot be imported; {remedy}"
        )
    missing = [name for name in ("backbone.conv1.weight", "neck.weight") if name not in mapped.tensors]
    if missing or _describe_backbone(mapped.tensors) is None:
        what = missing[0] if missing else "known number of residual blocks"
        raise GenreidError(
            f"{place}: too little matched: {len(mapped.tensors)} tensors, and no {what}; a backbone "
            f"alone goes to pretrain_encoder.encoder.pretrained; else {remedy}"
        )


def _describe_backbone(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the ResNet with these residual blocks."""
    counts = [
        len({found[1] for name in tensors if (found := re.match(rf"backbone\.layer{stage}\.(\d+)\.", name))})
        for stage in (1, 2, 3, 4)
    ]
    block = "Bottleneck" if "backbone.layer1.0.conv3.weight" in tensors else "BasicBlock"
    for name, (kind, num_blocks) in RESNETS.items():
        if list(num_blocks) == counts and kind.__name__ == block:
            return name
    return None


def _settings_in(mapped: _Mapped, last_stride: int) -> dict[str, Any]:
    """What the tensors, and the program that named them, say of the settings."""
    tensors = mapped.tensors
    return {
        "backbone": _describe_backbone(tensors),
        "base_width": len(tensors["backbone.conv1.weight"]),
        "stem": mapped.stem,
        "last_stride": mapped.last_stride or last_stride,
        "pooling": "gem" if "pool.p" in tensors else "average",
        "embedding_dim": len(tensors["reduction.weight"]) if "reduction.weight" in tensors else None,
    }


def _require_fitting(settings: EncoderSettings, mapped: _Mapped, place: str) -> None:
    found = _settings_in(mapped, settings.last_stride)
    if wrong := {name: value for name, value in found.items() if getattr(settings, name) != value}:
        values = ", ".join(f"{name}: {'null' if value is None else value}" for name, value in wrong.items())
        raise GenreidError(f"{place} holds another encoder; set pretrain_encoder.encoder to {values}")
