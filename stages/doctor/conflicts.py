"""Settings of several stages that cannot go together: the last of these stages would say so hours later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Conflict = tuple[str, str]
"""What cannot go together, and what to do about it."""

_PAIRS = {"test": ("query", "gallery"), "val": ("val_query", "val_gallery")}


def conflicts(settings: Mapping[str, Any]) -> Iterator[Conflict]:
    """Every conflict between the sections; `settings`: each as its settings class, by name."""
    there = [split for split in _PAIRS if _has_pair(settings, split)]
    yield from _of_splits(settings, ["train", *(name for split in there for name in _PAIRS[split])])
    paints, mixup = settings["pretrain_generator"].generator.paints, settings["train_joint"].contrast.mixup
    if paints == "views" and mixup == "d_mixup":
        yield (
            "pretrain_generator.generator.paints is views, and train_joint.contrast.mixup is d_mixup, which "
            "mixes codes",
            "set train_joint.contrast.mixup to body",
        )
    if settings["train_joint"].paints and settings["pretrain_generator"].epochs == 0:
        yield (
            "train_joint shows what a generator paints that never learnt: pretrain_generator.epochs is 0",
            "take recipes/painted.yaml or repaired.yaml",
        )
    evaluate, extracted = settings["evaluate"], settings["mesh_extract"].splits
    ranked = [name for split in there if split in (evaluate.split, "val") for name in _PAIRS[split]]
    lacking = ", ".join(name for name in ranked if name not in extracted)
    if lacking and "turned" in evaluate.test_views:
        yield f"evaluate.test_views has turned, and mesh_extract.splits lacks {lacking}", f"add {lacking}"
    # A data set without any query is measured on its training images.
    if there and (split := evaluate.split) not in there:
        yield f"evaluate.split is {split}, and the data set has no such images", f"set it to {there[0]}"


def _has_pair(settings: Mapping[str, Any], split: str) -> bool:
    """Whether the data set has queries and a gallery of the evaluation's `split`."""
    prepared = settings["prepare_data"]
    if split == "test":
        return prepared.dataset != "folder" or prepared.folder.query is not None
    is_synthetic = prepared.dataset == "synthetic"
    return (prepared.synthetic if is_synthetic else prepared).val_identities > 0


def _of_splits(settings: Mapping[str, Any], there: list[str]) -> Iterator[Conflict]:
    extracted, rendered = settings["mesh_extract"].splits, settings["render_views"].splits
    if lacking := ", ".join(name for name in there if name in rendered and name not in extracted):
        yield f"mesh_extract.splits lacks {lacking}, and render_views.splits has it", f"add {lacking}"
    if "train" not in rendered:
        yield "render_views.splits lacks train, whose views the generator learns from", "add train"
