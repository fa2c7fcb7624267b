"""Vision transformers out of files: what network the tensors are of, and its position embeddings resized."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genreid.errors import GenreidError
from genreid.models.imported.encoder import Built
from genreid.models.imported.facts import TransformerFacts
from genreid.models.imported.names import State, load_whole, rename, require_known
from genreid.models.imported.positions import Grid, grid_of, resized
from genreid.models.imported.transformer import (
    ReidTransformer,
    TransformerShape,
    clip_reid_names,
    transreid_names,
)

_HEAD_WIDTH = 64
_PART_NUMBERS = (1, 2, 3)
_CAMERAS = re.compile(r"(base\.)?sie_embed|cv_embed")
_OF_TRAINING = r"(base\.)?(fc|head|classifier\w*|prompt_learner|text_encoder)\."


@dataclass(frozen=True)
class _File:
    """What is being read: for messages."""

    place: str
    remedy: str

    def need(self, tensors: dict[str, Tensor], name: str) -> Tensor:
        if name not in tensors:
            raise GenreidError(f"{self.place}: too little matched: without {name}; {self.remedy}")
        return tensors[name]


def build_transreid(state: State, facts: TransformerFacts, place: str, remedy: str) -> Built:
    """TransReID-SSL's and PASS's, trained with labels or without, or pretrained. Raises GenreidError."""
    file, num_parts = _File(place, remedy), 0
    tensors, left_out = _renamed(state, facts, file, clip=False)
    positions = file.need(tensors, "pos_embed")
    if "part_token1" in tensors:
        num_parts = len(_PART_NUMBERS)
        tokens = [f"part_token{number}" for number in _PART_NUMBERS]
        places = ["cls_pos", *(f"part{number}_pos" for number in _PART_NUMBERS)]
        positions = torch.cat([*(file.need(tensors, one) for one in places), positions], dim=1)
        tensors["vit.reg_token"] = torch.cat([file.need(tensors, one) for one in tokens], dim=1)
        for one in (*tokens, *places):
            del tensors[one]
    tensors["pos_embed"] = positions
    # without labels PASS has necks of other names, and makes what each of them gives of length 1
    without_labels = any(name.startswith("bottleneck_pt") for name in state)
    shape = _shape(tensors, facts, file, num_parts=num_parts)
    classifier = state.get("classifier.weight")
    if num_parts and classifier is not None and classifier.shape[-1] == shape.width:
        raise GenreidError(f"{place}: PASS's fusion of its tokens by their mean is not taken; {remedy}")
    return _built(tensors, replace(shape, necks="unit" if without_labels else "plain"), facts, file, left_out)


def build_clip_reid(state: State, facts: TransformerFacts, place: str, remedy: str) -> Built:
    """The image tower of CLIP-ReID. Raises GenreidError."""
    file = _File(place, remedy)
    tensors, left_out = _renamed(state, facts, file, clip=True)
    tensors["pos_embed"] = file.need(tensors, "pos_embed")[None]
    tensors["cls_token"] = file.need(tensors, "cls_token")[None, None]
    shape = _shape(tensors, facts, file, num_parts=0)
    shape = replace(shape, clip=True, projection=file.need(tensors, "projection").shape[1])
    return _built(tensors, shape, facts, file, left_out)


def _renamed(
    state: State, facts: TransformerFacts, file: _File, *, clip: bool
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors by our names, without the necks where the embedding comes before them; what is left out."""
    cameras = [name for name in state if _CAMERAS.fullmatch(name)]
    if cameras and not facts.leave_out_cameras:
        raise GenreidError(
            f"{file.place}: {cameras[0]} is of the cameras that it was trained on, which nobody else has; to "
            "do without it, set leave_out_cameras: true"
        )
    found = rename(
        {name: tensor for name, tensor in state.items() if name not in cameras},
        clip_reid_names if clip else transreid_names,
        _OF_TRAINING,
    )
    require_known(found, "a vision transformer of these programs", file.place, file.remedy)
    necks = [name for name in found.tensors if name.startswith("necks.")]
    if facts.feature == "after" and not necks:
        raise GenreidError(f"{file.place}: there is no neck in it; set feature: before")
    left_out = [*found.left_out, *cameras]
    tensors = found.tensors
    if facts.feature == "before":
        left_out += [name for name in state if name.startswith("bottleneck")]
        tensors = {name: tensor for name, tensor in tensors.items() if name not in necks}
    return tensors, tuple(left_out)


def _shape(
    tensors: dict[str, Tensor], facts: TransformerFacts, file: _File, *, num_parts: int
) -> TransformerShape:
    """What network they are of, for the pictures that the facts ask for; the position embeddings become
    those of these pictures.
    """
    width, _, kernel, _ = file.need(tensors, "vit.patch_embed.proj.weight").shape
    has_stem = "vit.patch_embed.stem.0.weight" in tensors
    patch_px = kernel * (2 if has_stem else 1)
    positions = tensors.pop("pos_embed")
    num_before = 1 + num_parts
    wanted = None
    if facts.height_px is not None and facts.width_px is not None:
        wanted = Grid(facts.height_px, facts.width_px, patch_px, facts.stride_px or patch_px)
    own = grid_of(positions.shape[1] - num_before, patch_px, wanted, file.place)
    grid = Grid(
        facts.height_px or own.height_px,
        facts.width_px or own.width_px,
        patch_px,
        facts.stride_px or own.stride_px,
    )
    if min(grid.rows_and_columns) < 1:
        raise GenreidError(f"{file.place}: pictures of {grid.height_px}×{grid.width_px} have no whole patch")
    tensors["vit.pos_embed"] = torch.cat(
        [positions[:, :num_before], resized(positions[:, num_before:], own, grid)], dim=1
    )
    tensors["vit.cls_token"] = file.need(tensors, "cls_token")
    del tensors["cls_token"]
    return TransformerShape(
        grid=grid,
        width=width,
        depth=len({found[1] for name in tensors if (found := re.match(r"vit\.blocks\.(\d+)\.", name))}),
        num_heads=_num_heads(width, facts, file),
        hidden=len(file.need(tensors, "vit.blocks.0.mlp.fc1.weight")),
        has_stem=has_stem,
        num_parts=num_parts,
        feature=facts.feature,
    )


def _num_heads(width: int, facts: TransformerFacts, file: _File) -> int:
    num = facts.num_heads or width // _HEAD_WIDTH
    if num < 1 or width % num:
        raise GenreidError(
            f"{file.place}: {width} channels cannot be shared by {num} heads; set num_heads to their number"
        )
    return num


def _built(
    tensors: dict[str, Tensor],
    shape: TransformerShape,
    facts: TransformerFacts,
    file: _File,
    left_out: tuple[str, ...],
) -> Built:
    network = ReidTransformer(shape)
    load_whole(network, tensors, file.place, file.remedy)
    size_px = shape.grid.height_px, shape.grid.width_px
    return Built(network, network.feature_dim, size_px, facts.mean, facts.std, left_out)
