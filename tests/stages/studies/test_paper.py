"""Arm `paper` and the recipe of Market-1501 have what docs/method.md or params.yaml names as the paper's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.params import load_params
from pipeline.recipes import load_overrides
from stages.studies.definition import load_study

ROOT = Path(__file__).parents[3]
SECTIONS = ("pretrain_generator", "train_joint")
READ = (*SECTIONS, "clustering")
DECIDED = {
    "generator.structure_width": 16,
    "generator.structure_blocks": 4,
    "generator.decoder_width": 128,
    "generator.mlp_width": 512,
    "discriminator.width": 32,
    "discriminator.num_blocks": 4,
    "discriminator.num_scales": 3,
}
GENERATION = {
    "adversarial": 1.0,
    "image": 5.0,
    "cycle": 5.0,
    "feature": 5.0,
    "real": 4.0,
    "r1": 0.01,
    "r1_every": 1,
    "lr": 1e-4,
    "beta1": 0.0,
    "beta2": 0.999,
    "weight_decay": 5e-4,
}
JOINT = {
    "contrast.views": "generated",
    "contrast.mixup": "d_mixup",
    "contrast.mixup_mesh": "own",
    "contrast.memory": "instance",
    "contrast.rotation_temperature": 0.04,
    "contrast.num_negatives": 8192,
    "contrast.keep_old": 0.2,
    "clustering.eps": 0.55,
    "cluster_on": "memory",
    "generation.mixup_alpha": 0.6,
    "generator": "learns",
    "generator_every": 1,
    "contrast_teaches_generator": True,
    "detach_appearance": False,
    "epochs": 20,
    "steps_per_epoch": 400,
    "batch_size": 16,
    "lr": 3.5e-4,
    "momentum": 0.9,
    "weight_decay": 5e-4,
}
SHARED = {"k1": 30, "k2": 6, "min_samples": 4, "camera_centred": False}
METHOD = {
    **{f"clustering.{key}": value for key, value in SHARED.items()},
    **{f"pretrain_generator.{key}": value for key, value in DECIDED.items()},
    **{f"{name}.generation.{key}": value for name in SECTIONS for key, value in GENERATION.items()},
    "pretrain_generator.batch_size": 16,
    "pretrain_generator.epochs": 40,
    **{f"train_joint.{key}": value for key, value in JOINT.items()},
}
"""What docs/method.md says of the two stages, but for the fall of the rates, which hangs on the epochs."""

OF_THE_STUDY = {
    "pretrain_generator": {
        "generator.structure_width",
        "generator.decoder_width",
        "generator.mlp_width",
        "discriminator.width",
        "batch_size",
        "epochs",
        "steps_per_epoch",
    },
    "train_joint": {"epochs", "steps_per_epoch"},
    "clustering": {"k1", "k2"},
}
"""Widths, batch, epochs, steps, k1 and k2: the arm's deviations, as docs/studies.md lists them."""


def said_in_comments(text: str) -> dict[str, Any]:
    """`; paper: X` at the end of a key's line, but for the fall of the rates."""
    found: dict[str, Any] = {}
    parts: list[str] = []
    for line in text.splitlines():
        if match := re.match(r"( *)(\w+):", line):
            parts = [*parts[: len(match[1]) // 2], match[2]]
            if said := re.search(r"; paper: (\S+)$", line):
                found[".".join(parts)] = YAML(typ="safe").load(said[1])
    return {
        key: value
        for key, value in found.items()
        if key.startswith(READ) and not key.endswith(".lr_step_epochs")
    }


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.fixture(scope="module")
def paper() -> dict[str, Any]:
    """All that is named anywhere."""
    return said_in_comments((ROOT / "params.yaml").read_text(encoding="utf-8")) | METHOD


def settings(overrides: Mapping[str, Any]) -> dict[str, Any]:
    params = load_params(ROOT / "params.yaml")
    keys = [f"{section}.{key}" for section in READ for key in _leaves(params.value(section))]
    return {key: params.value(key) for key in keys} | dict(overrides)


def test_comments_are_read_as_a_person_reads_them() -> None:
    """By hand, from params.yaml."""
    found = said_in_comments((ROOT / "params.yaml").read_text(encoding="utf-8"))
    some = {
        "pretrain_generator.generator.structure_width": 16,
        "pretrain_generator.discriminator.width": 32,
        "pretrain_generator.epochs": 40,
        "pretrain_generator.generation.lr": 1e-4,
        "pretrain_generator.generation.same_person": 0,
        "pretrain_generator.reconstruction_epochs": 0,
        "train_joint.steps_per_epoch": 400,
        "train_joint.contrast.mixup_partner": "random",
        "train_joint.cluster_on": "memory",
        "train_joint.generator_every": 1,
        "train_joint.contrast_teaches_generator": True,
    }
    assert some.items() <= found.items()
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    parts = (("\nclustering:", "\ncamera_contrast:"), ("\npretrain_generator:", "\nevaluate:"))
    own = "".join(text[text.index(first) : text.index(last)] for first, last in parts)
    told = [line for line in own.splitlines() if "paper" in line and not line.startswith("#")]
    assert len(found) == len(told) - 1, "a comment of another form, or another rate that falls"
    assert {key: METHOD[key] for key in found if key in METHOD}.items() <= found.items()


def test_the_recipe_of_market1501_has_all_of_the_papers_values(paper: dict[str, Any]) -> None:
    params = load_params(ROOT / "params.yaml")
    found = settings(load_overrides(params, ROOT / "recipes", "market1501"))
    assert {key: found[key] for key in paper} == paper
    assert found["train_joint.lr_step_epochs"] == 10
    assert found["pretrain_generator.lr_step_epochs"] >= found["pretrain_generator.epochs"], (
        "its rate never falls"
    )


def test_the_arm_paper_has_all_of_the_papers_values_but_those_of_the_study(paper: dict[str, Any]) -> None:
    (trial, *_) = load_study(ROOT, "2026-11/invariance").trials("val", ["paper"])
    found = settings(trial.overrides)
    found["clustering.camera_centred"] = found.pop("train_joint.camera_centred")  # where it stood then
    own = {f"{section}.{key}" for section, keys in OF_THE_STUDY.items() for key in keys}
    assert {key: found[key] for key in paper if key not in own} == {
        key: value for key, value in paper.items() if key not in own
    }
    # What this closed study was made of then: the default teaches no generator any more.
    default = settings({"pretrain_generator.epochs": 32})
    assert {key: found[key] for key in own} == {key: default[key] for key in own}
    assert found["train_joint.lr_step_epochs"] / found["train_joint.epochs"] == 10 / 20
    assert found["pretrain_generator.lr_step_epochs"] >= found["pretrain_generator.epochs"], (
        "its rate never falls"
    )


def test_what_the_paper_s_arm_is_compared_with_differs_in_its_views_alone() -> None:
    study = load_study(ROOT, "2026-11/invariance")
    arms = {arm.name: dict(arm.params) for arm in study.arms.values()}
    views = {"train_joint.contrast.views": "none", "train_joint.contrast.mixup": "none"}
    assert views.items() <= arms["paper_continued"].items()
    rest = arms["paper_continued"].keys() - views.keys()
    assert {key: arms["paper"][key] for key in rest} == {key: arms["paper_continued"][key] for key in rest}
