"""Settings of several stages that cannot go together: the last of these stages would say so hours later.

`genreid doctor` and the graph's first stage tell all of them. A stage that is run by hand tells those for
which it could not do its work, and no others: what the stages before it make may be wanted for itself. All do
it in these words, before any work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Conflict = tuple[str, str]
"""What cannot go together, and what to do about it."""

_Settings = Mapping[str, Any]
"""Sections, each as its settings class, by name."""

_PAIRS = {"test": ("query", "gallery"), "val": ("val_query", "val_gallery")}


def conflicts(settings: _Settings, of: str | None = None) -> Iterator[Conflict]:
    """Every conflict between the sections that are there. of: a section's name, for what stops its stage."""
    for sections, rule in _RULES:
        if settings.keys() >= set(sections) and of in (None, sections[-1]):
            yield from rule(settings)


def _splits(settings: _Settings) -> Iterator[Conflict]:
    there = ["train", *(name for split in _pairs_there(settings) for name in _PAIRS[split])]
    extracted, rendered = settings["mesh_extract"].splits, settings["render_views"].splits
    if lacking := ", ".join(name for name in there if name in rendered and name not in extracted):
        yield f"mesh_extract.splits lacks {lacking}, and render_views.splits has it", f"add {lacking} there"


def _train_views(settings: _Settings) -> Iterator[Conflict]:
    if "train" not in settings["render_views"].splits:
        yield "render_views.splits lacks train, whose views the generator learns from", "add train there"


def _mixtures_of_codes(settings: _Settings) -> Iterator[Conflict]:
    paints, mixup = settings["pretrain_generator"].generator.paints, settings["train_joint"].contrast.mixup
    if paints == "views" and mixup == "d_mixup":
        yield (
            "pretrain_generator.generator.paints is views, and train_joint.contrast.mixup is d_mixup, which "
            "mixes codes",
            "set train_joint.contrast.mixup to body",
        )


def _untaught_generator(settings: _Settings) -> Iterator[Conflict]:
    if settings["train_joint"].paints and settings["pretrain_generator"].epochs == 0:
        yield (
            "train_joint shows what a generator paints that never learnt: pretrain_generator.epochs is 0",
            "take recipes/painted.yaml or repaired.yaml",
        )


def _turned(settings: _Settings) -> Iterator[Conflict]:
    evaluate, extracted = settings["evaluate"], settings["mesh_extract"].splits
    splits = [split for split in _pairs_there(settings) if split in (evaluate.split, "val")]
    ranked = [name for split in splits for name in _PAIRS[split]]
    lacking = ", ".join(name for name in ranked if name not in extracted)
    if lacking and "turned" in evaluate.test_views:
        yield (
            f"evaluate.test_views has turned, and mesh_extract.splits lacks {lacking}",
            f"add {lacking} there",
        )


def _evaluated_split(settings: _Settings) -> Iterator[Conflict]:
    """A data set without any query is measured on its training images."""
    there, split = _pairs_there(settings), settings["evaluate"].split
    if there and split not in there:
        yield f"evaluate.split is {split}, and the data set has no such images", f"set it to {there[0]}"


def _truth(settings: _Settings) -> Iterator[Conflict]:
    dataset = settings["prepare_data"].dataset
    if dataset != "synthetic" and settings["mesh_extract"].estimator == "ground_truth":
        yield (
            f"mesh_extract.estimator is ground_truth, and prepare_data.dataset is {dataset}: only the "
            "synthetic benchmark has a truth",
            "set mesh_extract.estimator to blazepose",
        )


def _oracle(settings: _Settings) -> Iterator[Conflict]:
    dataset, joint = settings["prepare_data"].dataset, settings["train_joint"]
    if dataset != "synthetic" and joint.wants_true_views:
        yield (
            f"train_joint.oracle is {joint.oracle}, and prepare_data.dataset is {dataset}: only the "
            "synthetic benchmark has true views",
            "set train_joint.oracle to none",
        )


_RULES: tuple[tuple[tuple[str, ...], Callable[[_Settings], Iterator[Conflict]]], ...] = (
    (("prepare_data", "mesh_extract", "render_views"), _splits),
    (("render_views", "pretrain_generator"), _train_views),
    (("pretrain_generator", "train_joint"), _mixtures_of_codes),
    (("pretrain_generator", "train_joint"), _untaught_generator),
    (("prepare_data", "mesh_extract", "evaluate"), _turned),
    (("prepare_data", "evaluate"), _evaluated_split),
    (("prepare_data", "mesh_extract"), _truth),
    (("prepare_data", "train_joint"), _oracle),
)
"""Of each rule, the sections that it looks at; the stage of the last could not do its work."""


def _pairs_there(settings: _Settings) -> list[str]:
    """The splits for evaluation, of which the data set has queries and a gallery."""
    return [split for split in _PAIRS if _has_pair(settings["prepare_data"], split)]


def _has_pair(prepared: Any, split: str) -> bool:
    if split == "test":
        return bool(prepared.dataset != "folder" or prepared.folder.query is not None)
    is_synthetic = prepared.dataset == "synthetic"
    return bool((prepared.synthetic if is_synthetic else prepared).val_identities > 0)
