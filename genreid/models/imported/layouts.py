"""The one table of layouts: who names weights how, what that program leaves unsaid, and who builds it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from genreid.errors import GenreidError, is_of_machine
from genreid.models.encoder import IdentityEncoder
from genreid.models.finite import require_finite
from genreid.models.imported.encoder import Built, ImportedEncoder
from genreid.models.imported.facts import (
    HALF,
    IMAGENET,
    Facts,
    NetworkFacts,
    ResnetFacts,
    TimmFacts,
    TransformerFacts,
)
from genreid.models.imported.names import State, load_whole, rename, require_known, some, without_wrapper
from genreid.models.imported.osnet import Osnet, osnet_names, shape_of
from genreid.models.imported.resnet import encoder_in
from genreid.models.imported.timm_network import PooledNetwork
from genreid.models.imported.tower import build_clip_reid, build_transreid
from genreid.models.timm_backbone import first_line
from genreid.models.weights_file import read_weights
from genreid.preprocessing import Preprocessing

_DINO = "backbone."
"""Before the names of a vision transformer where DINO, or PASS after it, has pretrained it."""


@dataclass(frozen=True)
class Layout:
    """A way of naming weights.

    program: whose, for people. has_mark: whether these names are of this layout and of none below it in the
    table. facts: the class of what its files do not say. defaults: its values, without what has to be said.
    build: tensors, facts, place and remedy → the network.
    """

    program: str
    has_mark: Callable[[Collection[str]], bool]
    facts: type[Facts]
    defaults: dict[str, Any]
    build: Callable[[State, Any, str, str], Built]


@dataclass(frozen=True)
class Imported:
    """An encoder of another program, in evaluation mode. prepared: how its pictures are, for the program;
    built: what it makes of them, and what was left out.
    """

    encoder: ImportedEncoder
    prepared: Preprocessing
    built: Built


def read_state(path: Path, remedy: str) -> dict[str, Tensor]:
    """The tensors of a file by names without wrappers. Raises GenreidError where it cannot be read safely."""
    state = without_wrapper(read_weights(path, remedy))
    if f"{_DINO}patch_embed.proj.weight" in state:
        return {name.removeprefix(_DINO): one for name, one in state.items() if name.startswith(_DINO)}
    return state


def recognise(state: State, place: str, remedy: str) -> str:
    """The layout of these names. Raises GenreidError where it is none that is known."""
    for name, layout in LAYOUTS.items():
        if layout.has_mark(state.keys()):
            return name
    raise GenreidError(
        f"{place}: its names ({some(list(state))}) are of no known layout ({', '.join(LAYOUTS)}); {remedy}"
    )


def build_imported(state: State, layout: str, facts: Facts, place: str, remedy: str) -> Imported:
    """The encoder that these tensors make. Raises GenreidError where not all of it is there, or no number."""
    place = f"{place} (layout {layout})"
    try:
        built = LAYOUTS[layout].build(state, facts, place, remedy)
    except GenreidError:
        raise
    except (ValueError, IndexError, TypeError, ArithmeticError, RuntimeError) as error:
        if is_of_machine(error):
            raise
        whose = LAYOUTS[layout].program
        raise GenreidError(
            f"{place}: its tensors have not the shapes of {whose} ({first_line(error)}); {remedy}"
        ) from error
    require_finite(built.network, place, remedy)
    encoder = ImportedEncoder(built.network, built.feature_dim, built.mean, built.std).eval()
    return Imported(encoder, Preprocessing(*built.size_px), built)


class _EmbeddingOf(nn.Module):
    """An encoder of ours as a network: (B,3,H,W) → (B,E)."""

    def __init__(self, encoder: IdentityEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        embedding: Tensor = self.encoder(image).embedding
        return embedding


def _resnet(layout: str) -> Callable[[State, Any, str, str], Built]:
    def build(state: State, facts: NetworkFacts, place: str, remedy: str) -> Built:
        last_stride = facts.last_stride if isinstance(facts, ResnetFacts) else 1
        encoder, left_out = encoder_in(state, layout, last_stride, place, remedy)
        size_px = facts.height_px, facts.width_px
        return Built(_EmbeddingOf(encoder), encoder.embedding_dim, size_px, facts.mean, facts.std, left_out)

    return build


def _osnet(state: State, facts: NetworkFacts, place: str, remedy: str) -> Built:
    found = rename(state, osnet_names, r"classifier\.")
    require_known(found, "OSNet", place, remedy)
    network = Osnet(shape_of(found.tensors, place, remedy))
    load_whole(network, found.tensors, place, remedy)
    size_px = facts.height_px, facts.width_px
    return Built(network, network.feature_dim, size_px, facts.mean, facts.std, found.left_out)


def _timm(state: State, facts: TimmFacts, place: str, remedy: str) -> Built:
    network = PooledNetwork(state, facts, place, remedy)
    return Built(network, network.feature_dim, network.size_px, network.mean, network.std, ())


def _pictures(statistics: tuple[Any, Any]) -> dict[str, Any]:
    return {"height_px": 256, "width_px": 128, "mean": list(statistics[0]), "std": list(statistics[1])}


_RESNET = _pictures(IMAGENET)
_TRANSFORMER = {
    "height_px": None,
    "width_px": None,
    "stride_px": None,
    "mean": list(HALF[0]),
    "std": list(HALF[1]),
    "feature": "before",
    "num_heads": None,
    "leave_out_cameras": False,
}
_TIMM = dict.fromkeys(("height_px", "width_px", "mean", "std"))


def _is_transreid(names: Collection[str]) -> bool:
    """timm's own transformers have the same names, and a `head`; pretrained ones are the same in both."""
    trained = "base.patch_embed.proj.weight" in names
    plain = {"patch_embed.proj.weight", "cls_token", "pos_embed"} <= set(names)
    return trained or (plain and "head.weight" not in names)


LAYOUTS: dict[str, Layout] = {
    "osnet": Layout(
        "torchreid's OSNet",
        lambda names: "conv2.0.conv2a.conv1.weight" in names,
        NetworkFacts,
        _pictures(IMAGENET),
        _osnet,
    ),
    "osnet_ain": Layout(
        "torchreid's OSNet-AIN",
        lambda names: "conv2.0.conv2.0.layers.0.conv1.weight" in names,
        NetworkFacts,
        _pictures(IMAGENET),
        _osnet,
    ),
    "clip_reid": Layout(
        "CLIP-ReID's image tower (ViT)",
        lambda names: "image_encoder.class_embedding" in names,
        TransformerFacts,
        _TRANSFORMER,
        build_clip_reid,
    ),
    "pass": Layout(
        "PASS",
        lambda names: "base.part_token1" in names or "part_token1" in names,
        TransformerFacts,
        _TRANSFORMER,
        build_transreid,
    ),
    "transreid": Layout("TransReID-SSL", _is_transreid, TransformerFacts, _TRANSFORMER, build_transreid),
    "spcl": Layout(
        "SpCL, ClusterContrast, MMT or GCL",
        lambda names: "base.0.weight" in names,
        NetworkFacts,
        _RESNET,
        _resnet("spcl"),
    ),
    "fast_reid": Layout(
        "fast-reid",
        lambda names: "backbone.conv1.weight" in names,
        ResnetFacts,
        _RESNET | {"last_stride": 1},
        _resnet("fast_reid"),
    ),
    "jvtc": Layout(
        "JVTC",
        lambda names: "conv1.weight" in names and "feat_bn.weight" in names,
        NetworkFacts,
        _RESNET,
        _resnet("jvtc"),
    ),
    # Names say nothing of which network of timm it is: the user, or timm's config.json, has to.
    "timm": Layout("timm", lambda names: False, TimmFacts, _TIMM, _timm),
}
"""By name; the first whose mark fits is it."""
