"""The studies `identities_100` to `identities_800`: sizes, arms, trials and steps are as planned."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.params import Params, load_params, section
from stages.shared.conflicts import conflicts
from stages.shared.sections import stage_settings
from stages.studies.definition import Study, load_study

ROOT = Path(__file__).parents[3]
PARAMS = load_params(ROOT / "params.yaml")
SIZES = (100, 200, 400, 800)
OFTEN = ("continued", "same_compute", "warped", "gcl_plus")
ONCE = ("augmented", "copy_paste", "true_views", "true_labels")
LARGE = ("continued", "gcl_plus", "true_views", "true_labels")


def study_of(size: int) -> Study:
    return load_study(ROOT, f"identities_{size}")


def settings_of(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Every stage's section as its settings class, with the overrides of a trial in params.yaml."""
    values = copy.deepcopy(dict(PARAMS.values))
    for key, value in overrides.items():
        *parents, last = key.split(".")
        place = values
        for parent in parents:
            place = place[parent]
        place[last] = value
    params: Params = replace(PARAMS, values=values)
    return {name: section(params, name, settings) for name, settings in stage_settings().items()}


@pytest.mark.parametrize("size", SIZES)
def test_every_trial_s_params_can_be(size: int) -> None:
    study, seen = study_of(size), set()
    for trial in study.trials("val"):
        settings = settings_of(trial.overrides)
        assert not list(conflicts(settings))
        assert settings["prepare_data"].synthetic.train_identities == size
        assert settings["prepare_data"].synthetic.val_identities == 100
        assert settings["evaluate"].split == "val"
        joint = settings["train_joint"]
        oracle = trial.arm.name if trial.arm.name.startswith("true_") else "none"
        assert joint.oracle == oracle
        assert (study.title_of(trial.arm.name) != trial.arm.name) == (oracle != "none")
        if trial.arm.name not in ("gcl_plus", "same_compute"):
            assert not joint.paints
            views = {"continued": "none", "true_views": "warped", "true_labels": "none"}
            assert joint.contrast.views == views.get(trial.arm.name, trial.arm.name)
        seen.add(trial.arm.name)
    assert seen == set(OFTEN + ONCE if size <= 200 else LARGE)


@pytest.mark.parametrize("size", SIZES)
def test_trials_are_as_many_as_planned(size: int) -> None:
    warm_ups = {100: 3, 200: 3, 400: 2, 800: 1}[size]
    for arm in study_of(size).arms.values():
        num = 1 if size <= 200 and arm.name in ONCE else warm_ups
        assert arm.pairs == tuple((number, 1) for number in range(1, num + 1)), arm.name


def test_steps_grow_with_the_identities_and_nothing_else_does() -> None:
    first = study_of(100).common
    steps = {key for key in first if key.endswith(("steps_per_epoch", "train_identities"))}
    assert len(steps) == 4
    for size in SIZES:
        own = study_of(size).common
        assert own.keys() == first.keys()
        assert own == first | {key: first[key] * size // 100 for key in steps}
        compute = study_of(size).arms.get("same_compute")
        assert compute is None or compute.params == study_of(100).arms["same_compute"].params


def test_the_default_is_an_arm_as_it_is() -> None:
    for size in SIZES:
        study = study_of(size)
        assert study.arms["gcl_plus"].params == {}
        assert not [key for key in study.common if key.startswith("train_joint.contrast")]


def test_contrasts_tell_what_limits_a_gain() -> None:
    asked = {
        ("gcl_plus", "continued"),
        ("gcl_plus", "same_compute"),
        ("warped", "copy_paste"),
        ("true_views", "gcl_plus"),
        ("true_labels", "gcl_plus"),
    }
    for size in SIZES:
        study = study_of(size)
        there = {pair for pair in asked if set(pair) <= set(study.arms)}
        assert there <= set(study.contrasts.values())
        assert len(there) == (5 if size <= 200 else 3)
