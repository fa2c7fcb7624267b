"""Settings for a folder of crops: a recipe, what the crops themselves decide, and a reason for each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreid.data.datasets.layout import ANY_FOLDER
from genreid.errors import GenreidError
from stages.starting.crops import Crops

ON_CPU, ON_GPU = "photographs", "photographs_gpu"
LEAST_CROPS = 100
"""Fewer are no pseudo-identities to learn from: a batch of the warm-up is 64 of them."""
_MOST_HELD_OUT, _LEAST_HELD_OUT, _SHARE_HELD_OUT = 100, 10, 5

_FIELD = "the field's for a start from ImageNet weights, as in recipes/folder.yaml"
_REASONS: Mapping[str, str] = {
    "clustering.k1": f"neighbours that are compared; {_FIELD}",
    "clustering.k2": f"neighbours that are averaged; {_FIELD}",
    "clustering.camera_centred": _FIELD,
    "mesh_extract.estimator": "bodies of photographs without a licensed file (docs/bodies_and_meshes.md)",
    "mesh_extract.blazepose.size": "35 ms of a core a crop; heavy takes 95, and its headings are 1.6° nearer",
    "pretrain_encoder.precision": "what photographs were measured in",
    "pretrain_encoder.encoder.backbone": "free ImageNet weights; on a CPU a quick one, on a GPU the field's",
    "pretrain_encoder.encoder.base_width": "the full width, which the ImageNet weights have",
    "pretrain_encoder.encoder.stem": "the first layers that the ImageNet weights have",
    "pretrain_encoder.encoder.pretrained": "training from random weights needs more crops than most have",
    "pretrain_encoder.clustering.eps": "how near crops of one person are; chosen on photographs for the CPU",
    "pretrain_encoder.colour_epochs": "none: only random weights have to begin with colours",
    "pretrain_encoder.augmentation.pad_px": f"px that a crop is shifted by at most; {_FIELD}",
    "pretrain_encoder.augmentation.erase": f"share of crops with a part erased; {_FIELD}",
    "pretrain_encoder.augmentation.colour": f"no change of colours; {_FIELD}",
    "pretrain_encoder.temperature": _FIELD,
    "pretrain_encoder.keep_old": _FIELD,
    "pretrain_encoder.lr": _FIELD,
    "pretrain_encoder.images_per_identity": f"crops of a pseudo-identity in a batch; {_FIELD}",
    "train_joint.precision": "what photographs were measured in",
    "train_joint.cluster_views": "clusters on images alone: turned ones take half as long again for no gain",
    "train_joint.clustering.eps": "how near crops of one person are, in joint training",
    "train_joint.batch_size": "crops a step, each with a turned view and a mixture beside it",
    "train_joint.lr": _FIELD,
}
"""Of what the recipes set whatever the crops are."""


@dataclass(frozen=True)
class Proposed:
    """A value of params.yaml, by its dotted key, and why."""

    key: str
    value: Any
    why: str


def recipe_for(device_type: str) -> tuple[str, str]:
    """The recipe for a device, and why."""
    if device_type == "cuda":
        return ON_GPU, "there is a GPU: ResNet-50 at 256 × 128 (not measured on photographs yet)"
    return ON_CPU, "no GPU that torch can use: MobileNetV2 at 128 × 64"


def require_enough(crops: Crops) -> None:
    """Raises GenreidError where there is too little to train on."""
    if crops.num_train < LEAST_CROPS:
        raise GenreidError(
            f"{crops.folder}: {crops.num_train:,} crops to train on, and clusters to learn from need "
            f"{LEAST_CROPS} or more; add crops, or take a trained encoder (`genreid embed --checkpoint`)"
        )


def propose(
    crops: Crops, name: str, recipe: Mapping[str, Any], defaults: Mapping[str, Any], dataset: str
) -> list[Proposed]:
    """What to set for these crops, in the recipe's order and then what they alone decide.

    name, recipe: the recipe's name and its values by dotted key. defaults: those of params.yaml beneath it.
    dataset: `paths.dataset` as the project is to have it.
    """
    require_enough(crops)
    of_crops = {one.key: one for one in _of_crops(crops, dataset)}
    of_recipe = [
        of_crops.pop(key) if key in of_crops else _of_recipe(crops, name, key, recipe, defaults)
        for key in recipe
    ]
    return [*of_recipe, *of_crops.values()]


def _of_crops(crops: Crops, dataset: str) -> Iterator[Proposed]:
    yield Proposed("paths.dataset", dataset, "where the crops lie; they stay there")
    yield Proposed("prepare_data.dataset", crops.dataset, f"read as {crops.told.partition(';')[0]}")
    if crops.dataset == ANY_FOLDER:
        cameras, persons = len(crops.cameras), len(crops.cameras_of_persons())
        read = [f"{num:,} {what}" for num, what in ((cameras, "cameras"), (persons, "persons")) if num]
        why = (
            f"reads {' and '.join(read)} off the paths"
            if read
            else "every image, with nothing read off its path"
        )
        yield Proposed("prepare_data.folder.train", crops.pattern, why)
        yield from _held_out(crops)


def _held_out(crops: Crops) -> Iterator[Proposed]:
    """Persons to measure on: training never sees a label, so without them nothing is known of the result."""
    several = sum(len(cameras) > 1 for cameras in crops.cameras_of_persons("train").values())
    num = min(_MOST_HELD_OUT, several // _SHARE_HELD_OUT)
    if num < _LEAST_HELD_OUT:
        why = f"{several:,} persons are known in two cameras or more: too few to set some aside"
        yield Proposed("prepare_data.val_identities", 0, why)
        return
    limit = f"at most {_MOST_HELD_OUT}" if num == _MOST_HELD_OUT else f"one of {_SHARE_HELD_OUT}"
    why = f"persons set aside to measure on, {limit} of the {several:,} in two cameras or more"
    yield Proposed("prepare_data.val_identities", num, why)
    yield Proposed("evaluate.split", "val", f"measured on these {num} persons, whom training does not see")


def _of_recipe(
    crops: Crops, name: str, key: str, recipe: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Proposed:
    value = recipe[key]

    def setting(key: str) -> Any:
        return recipe.get(key, defaults.get(key))

    if key in ("prepare_data.height_px", "prepare_data.width_px"):
        return Proposed(key, value, _size_reason(crops, key, value))
    if key.endswith((".epochs", ".steps_per_epoch")):
        return Proposed(key, value, _length_reason(crops, key.partition(".")[0], setting))
    if key.endswith(".lr_step_epochs"):
        epochs = setting(f"{key.partition('.')[0]}.epochs")
        falls = f"falls by 10 after every {value} of" if value < epochs else "stays as it is for all of the"
        return Proposed(key, value, f"the rate {falls} {epochs} epochs")
    reasons = _REASONS if name in (ON_CPU, ON_GPU) else {}
    return Proposed(key, value, reasons.get(key, f"as recipes/{name}.yaml has it"))


def _size_reason(crops: Crops, key: str, value: int) -> str:
    side = 0 if key.endswith("height_px") else 1
    native = crops.median_px()[side]
    what = ("high", "wide")[side]
    if native < value:
        return f"px, the recipe's; crops are {native} {what} in the median, so they are enlarged"
    return f"px, the recipe's; crops are {native} {what} in the median"


def _length_reason(crops: Crops, section: str, setting: Any) -> str:
    """How often a crop is seen."""
    steps = setting(f"{section}.epochs") * setting(f"{section}.steps_per_epoch")
    if section == "fit_regressor":
        return (
            f"{steps:,} steps of {setting(f'{section}.batch_size')} drawn persons, none of them of the crops"
        )
    if section == "pretrain_encoder":
        batch = setting(f"{section}.identities_per_batch") * setting(f"{section}.images_per_identity")
    else:
        batch = setting(f"{section}.batch_size")
    times = steps * batch / crops.num_train
    shown = f"{times:.1f}" if times < 10 else f"{times:,.0f}"
    return f"{steps:,} steps of {batch} crops in all: each of {crops.num_train:,} about {shown} times"


def dataset_path(crops: Path, project: Path) -> str:
    """`paths.dataset`: relative where the crops lie in the project, so that it can be moved.

    Raises GenreidError where the project would lie in the crops.
    """
    inside, root = crops.resolve(), project.resolve()
    if root == inside or root.is_relative_to(inside):
        raise GenreidError(
            f"{project} is or lies in the folder of the crops, where a run writes nothing: make the project "
            f"elsewhere, such as genreid init ../reid --crops {crops}"
        )
    return inside.relative_to(root).as_posix() if inside.is_relative_to(root) else str(inside)
