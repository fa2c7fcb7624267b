"""Encoders trained by other programs, by the names that they give their weights.

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
from genreid.models.settings import EncoderSettings, ImportSettings, Layout
from genreid.models.weights_file import read_weights

_REMEDY = "set pretrain_encoder.import_from to an encoder of JVTC, GCL, SpCL, ClusterContrast or fast-reid"
_NAMES_SHOWN = 4


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

    tensors: dict[str, Tensor]
    stem: str
    last_stride: int | None
    left_out: tuple[str, ...]
    unknown: tuple[str, ...]


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
    state = _without_wrapper(read_weights(Path(source.path), _REMEDY))
    layout = recognise(state, source.path) if source.layout == "auto" else source.layout
    mapped = _LAYOUTS[layout](state)
    place = f"{source.path} (layout {layout})"
    _require_whole_backbone(mapped, place)
    _require_fitting(settings, mapped, place)
    encoder = IdentityEncoder(replace(settings, pretrained="none"))
    _load(encoder, mapped, place)
    matched = [tensor for name, tensor in mapped.tensors.items() if not name.endswith("num_batches_tracked")]
    report = ImportReport(layout, len(matched), sum(tensor.numel() for tensor in matched), mapped.left_out)
    return encoder.eval(), report


def recognise(state: Mapping[str, Tensor], place: str = "the file") -> str:
    """The layout of these names. Raises GenreidError where it is none that is known."""
    if "base.0.weight" in state:
        return "spcl"
    if "backbone.conv1.weight" in state:
        return "fast_reid"
    if "conv1.weight" in state:
        return "jvtc"
    known = ", ".join(name for name in get_args(Layout) if name != "auto")
    raise GenreidError(
        f"{place}: its names ({_some(list(state))}) are of no known layout ({known}); {_REMEDY}"
    )


def _map_jvtc(state: Mapping[str, Tensor]) -> _Mapped:
    def ours(name: str) -> str | None:
        if _IN_RESNET.match(name):
            return f"backbone.{name}"
        return _neck_name(name)

    return _map(state, "imagenet", ours, r"classifier\.|fc\.")


def _map_spcl(state: Mapping[str, Tensor]) -> _Mapped:
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

    return _map(state, "imagenet" if has_relu else "imagenet_no_relu", ours, r"classifier")


def _map_fast_reid(state: Mapping[str, Tensor]) -> _Mapped:
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
    mapped = _map(state, "imagenet_ceil_pool", ours, of_training, last_stride=None)
    if "reduction.weight" in mapped.tensors:
        weight = mapped.tensors["reduction.weight"].flatten(1)
        mapped.tensors["reduction.weight"] = weight
        mapped.tensors.setdefault("reduction.bias", weight.new_zeros(len(weight)))
    return mapped


_LAYOUTS: dict[str, Callable[[Mapping[str, Tensor]], _Mapped]] = {
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


def _map(
    state: Mapping[str, Tensor],
    stem: str,
    ours: Callable[[str], str | None],
    of_training: str,
    last_stride: int | None = 1,
) -> _Mapped:
    """The tensors by our names. of_training: a pattern of names that an encoder has no use for."""
    tensors: dict[str, Tensor] = {}
    left_out: list[str] = []
    unknown: list[str] = []
    for name, tensor in state.items():
        own = ours(name)
        if own is not None:
            tensors[own] = tensor
        else:
            (left_out if re.match(of_training, name) else unknown).append(name)
    return _Mapped(tensors, stem, last_stride, tuple(left_out), tuple(unknown))


def _without_wrapper(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without `module.`, which data-parallel training puts before every name."""
    while state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _require_whole_backbone(mapped: _Mapped, place: str) -> None:
    if mapped.unknown:
        raise GenreidError(
            f"{place}: {_some(mapped.unknown)} have no place in a ResNet with a batch-norm neck; such parts "
            f"(instance norm, attention, non-local blocks) cannot be imported; {_REMEDY}"
        )
    missing = [name for name in ("backbone.conv1.weight", "neck.weight") if name not in mapped.tensors]
    if missing or _describe_backbone(mapped.tensors) is None:
        what = missing[0] if missing else "known number of residual blocks"
        raise GenreidError(
            f"{place}: too little matched: {len(mapped.tensors)} tensors, and no {what}; a backbone "
            f"alone goes to pretrain_encoder.encoder.pretrained; else {_REMEDY}"
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


def _require_fitting(settings: EncoderSettings, mapped: _Mapped, place: str) -> None:
    tensors = mapped.tensors
    found: dict[str, Any] = {
        "backbone": _describe_backbone(tensors),
        "base_width": len(tensors["backbone.conv1.weight"]),
        "stem": mapped.stem,
        "last_stride": mapped.last_stride or settings.last_stride,
        "pooling": "gem" if "pool.p" in tensors else "average",
        "embedding_dim": len(tensors["reduction.weight"]) if "reduction.weight" in tensors else None,
    }
    if wrong := {name: value for name, value in found.items() if getattr(settings, name) != value}:
        values = ", ".join(f"{name}: {'null' if value is None else value}" for name, value in wrong.items())
        raise GenreidError(f"{place} holds another encoder; set pretrain_encoder.encoder to {values}")


def _load(encoder: IdentityEncoder, mapped: _Mapped, place: str) -> None:
    ours, tensors = encoder.state_dict(), mapped.tensors
    for name, tensor in ours.items():
        if name.endswith("num_batches_tracked"):
            tensors.setdefault(name, tensor)
    if missing := [name for name in ours if name not in tensors]:
        share = 1 - len(missing) / len(ours)
        raise GenreidError(
            f"{place}: too little matched: {share:.0%} of the encoder, without {_some(missing)}; {_REMEDY}"
        )
    for name, tensor in ours.items():
        if tensors[name].shape != tensor.shape:
            shapes = f"{tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
            raise GenreidError(f"{place}: {name} has shape {shapes}; {_REMEDY}")
    if odd := [name for name in tensors if name not in ours]:
        raise GenreidError(f"{place}: {_some(odd)} have no place in the encoder; {_REMEDY}")
    encoder.load_state_dict(tensors)


def _some(names: tuple[str, ...] | list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
