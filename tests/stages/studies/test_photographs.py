"""The studies on photographs: their trials can be, and the folds of `angles` part the persons."""

from __future__ import annotations

import re

import pytest

from stages.shared.conflicts import conflicts
from stages.studies.definition import load_study
from tests.stages.studies.test_identities import ROOT, settings_of

PERSONS = range(1, 121)
NAMES = [
    f"{person:04d}_c{camera}_h{heading:+04d}.png"
    for person in PERSONS
    for camera in (1, 2)
    for heading in (0, 45, -135, 180)
]


@pytest.mark.parametrize(
    ("name", "split"), [("angles", "test"), ("photographs", "val"), ("photographs_exchanged", "test")]
)
def test_every_trial_s_params_can_be(name: str, split: str) -> None:
    for trial in load_study(ROOT, name).trials(split):
        settings = settings_of(trial.overrides)
        assert not list(conflicts(settings))
        assert settings["mesh_extract"].estimator == "blazepose"
        oracle = trial.arm.name if trial.arm.name.startswith("true_") else "none"
        assert settings["train_joint"].oracle == oracle


def fold(warm_up: int) -> dict[str, set[str]]:
    """Split → the persons of the names that its pattern fits; each name fits one."""
    params = load_study(ROOT, "angles").warm_ups[warm_up]
    found: dict[str, set[str]] = {"train": set(), "query": set(), "gallery": set()}
    for name in NAMES:
        fitting = {
            split: match
            for split in found
            if (match := re.fullmatch(params[f"prepare_data.folder.{split}"], name))
        }
        ((split, match),) = fitting.items()
        assert match["person"] == name[:4] and match["camera"] == name[6]
        assert split == "train" or (match["camera"] == "1") == (split == "query")
        found[split].add(match["person"])
    return found


def test_the_folds_part_the_persons() -> None:
    folds = [fold(warm_up) for warm_up in (1, 2, 3, 4)]
    everybody = {f"{person:04d}" for person in PERSONS}
    for own in folds:
        assert own["query"] == own["gallery"] and own["train"] == everybody - own["query"]
    asked = [person for own in folds for person in own["query"]]
    assert sorted(asked) == sorted(everybody)


def test_exchanged_roles_change_nothing_else() -> None:
    """Each arm is that of `photographs`, but for the persons that it learns from."""
    of_data = {
        "prepare_data.dataset",
        *(f"prepare_data.folder.{split}" for split in ("train", "query", "gallery")),
    }
    own, others = (load_study(ROOT, name) for name in ("photographs_exchanged", "photographs"))
    for name, arm in own.arms.items():
        assert arm.params == others.arms[name].params
    assert {key for key in own.common if own.common[key] != others.common.get(key)} == of_data
    assert set(own.common) - of_data == set(others.common) - of_data


@pytest.mark.parametrize(
    ("path", "split", "camera"),
    [
        ("query/0003_c1s1_000002_00.jpg", "train", "1"),
        ("bounding_box_test/0021_c10s1_000007_00.jpg", "train", "10"),
        ("bounding_box_train/0001_c1s1_000001_00.jpg", "query", "1"),
        ("bounding_box_train/0001_c2s1_000006_00.jpg", "query", "2"),
        ("bounding_box_train/0001_c1s1_000002_00.jpg", "gallery", "1"),
        ("bounding_box_train/0412_c9s1_000010_00.jpg", "gallery", "9"),
    ],
)
def test_exchanged_roles_are_read_off_the_names(path: str, split: str, camera: str) -> None:
    patterns = {
        key.rpartition(".")[2]: text
        for key, text in load_study(ROOT, "photographs_exchanged").common.items()
        if key.startswith("prepare_data.folder.")
    }
    fitting = {name: match for name, text in patterns.items() if (match := re.fullmatch(text, path))}
    assert list(fitting) == [split]
    assert (fitting[split]["person"], fitting[split]["camera"]) == (path.partition("/")[2][:4], camera)
