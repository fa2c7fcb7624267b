from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.study import Contrast, Point, Trial, load_study, study_names
from pipeline.study_rows import CURVES, add_points, add_row, finished, read_rows
from pipeline.trials import Finished, Slot, run_trials

ROOT = Path(__file__).parents[2]
FILE = """\
title: Two arms
reference: plain
common:
  train_joint.epochs: 2
warm_ups: [1, 2]
seeds: [1, 2]
contrasts:
  Is it the views?: [views, plain]
series:
  amount: {plain: 0, views: 1, three/views: 2.5}
pictured: [views]
arms:
  plain:
    about: nothing
    params: {train_joint.contrast.views: none}
  views:
    about: rotated views
    params: {train_joint.contrast.views: generated}
    warm_ups: [2]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    write(tmp_path, FILE)
    return tmp_path


def write(project: Path, text: str) -> None:
    (project / "recipes" / "studies" / "two.yaml").write_text(text, encoding="utf-8")


def test_trials_are_arms_by_warm_ups_by_seeds(project: Path) -> None:
    trials = load_study(project, "two").trials("val")
    assert [trial.name for trial in trials] == [
        "two-plain-w1-s1",
        "two-plain-w1-s2",
        "two-plain-w2-s1",
        "two-views-w2-s1",
        "two-plain-w2-s2",
        "two-views-w2-s2",
    ]
    assert trials[3].overrides == {
        "train_joint.epochs": 2,
        "train_joint.contrast.views": "generated",
        "pretrain_encoder.seed": 2,
        "pretrain_generator.seed": 2,
        "train_joint.seed": 1,
        "evaluate.split": "val",
    }


def test_an_arm_may_name_the_seeds_of_each_warm_up(project: Path) -> None:
    write(project, FILE.replace("warm_ups: [2]", "warm_ups: {1: [2], 3: [1, 4]}"))
    trials = load_study(project, "two").trials("val", ["views"])
    assert [trial.name for trial in trials] == ["two-views-w1-s2", "two-views-w3-s1", "two-views-w3-s4"]


def test_further_pairs_of_arms_are_named_by_their_question(project: Path) -> None:
    assert load_study(project, "two").contrasts == (Contrast("Is it the views?", "views", "plain"),)


def test_arms_of_other_studies_stand_in_a_series_by_the_name_of_theirs(project: Path) -> None:
    points = load_study(project, "two").series["amount"]
    assert points == (Point("two", "plain", 0), Point("two", "views", 1), Point("three", "views", 2.5))


def test_all_arms_are_pictured_unless_some_are_named(project: Path) -> None:
    assert load_study(project, "two").pictured == ("views",)
    write(project, FILE.replace("pictured: [views]\n", ""))
    assert load_study(project, "two").pictured == ("plain", "views")


def test_trials_of_one_warm_up_share_what_comes_before_joint_training(project: Path) -> None:
    first, other_seed, other_warm_up, other_arm = load_study(project, "two").trials("val")[:4]
    assert first.before_joint == other_seed.before_joint
    assert other_warm_up.before_joint == other_arm.before_joint
    assert first.before_joint != other_warm_up.before_joint


def test_a_trial_on_the_test_identities_has_another_name(project: Path) -> None:
    (trial, *_) = load_study(project, "two").trials("test", ["views"])
    assert trial.name == "two-views-w2-s1-test"
    assert trial.overrides["evaluate.split"] == "test"


@pytest.mark.parametrize("name", study_names(ROOT))
def test_the_project_s_own_studies_load(name: str) -> None:
    study = load_study(ROOT, name)
    names = [trial.name for trial in study.trials("val")]
    assert len(set(names)) == len(names) > 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "reference: plain",
            "reference: plan",
            r"yaml:2: reference: no arm 'plan'; did you mean 'plain'",
        ),
        ("title:", "titel:", r"two.yaml:1: titel: unknown key; did you mean 'title'"),
        ("    about: nothing\n", "", r"two.yaml:13: arms.plain: missing about"),
        ("joint.epochs", "joint.epoch", r"common: train_joint.epoch: .*did you mean 'epochs'"),
        (
            "contrast.views: generated",
            "contrast.vews: generated",
            r"arms.views.params: .*mean 'views'",
        ),
        ("seeds: [1, 2]", "seeds: [1, 1]", r"two.yaml:6: seeds: expected different integers"),
        (
            "warm_ups: [2]",
            "warm_ups: 2",
            r"views.warm_ups: expected different integers in a list, got 2",
        ),
        (
            "warm_ups: [2]",
            "warm_ups: {1: [2, 2]}",
            r"views.warm_ups: expected different integers in a list, got \[2, 2\]",
        ),
        ("warm_ups: [2]", "warm_ups: {one: [2]}", r"views.warm_ups: expected .*'one'"),
        (
            "warm_ups: [2]",
            "warm_ups: {1: [2]}\n    seeds: [1]",
            r"yaml:\d+: arms.views.seeds: its warm_ups name",
        ),
        ("[views, plain]", "[views]", r"contrasts.Is it the views\?: expected two arms, .*found \['views'\]"),
        ("[views, plain]", "[veiws, plain]", r"no arm 'veiws'; did you mean 'views'"),
        ("{plain: 0,", "{plane: 0,", r"series.amount: no arm 'plane'; did you mean 'plain'"),
        ("{plain: 0,", "{plain: none,", r"series.amount: expected arms and their numbers, .*'plain': 'none'"),
        ("pictured: [views]", "pictured: [view]", r"two.yaml:\d+: pictured: no arm 'view'"),
        ("pictured: [views]", "pictured: views", r"pictured: expected arms, \[one, another\], got 'views'"),
    ],
)
def test_a_file_that_cannot_be_is_refused(project: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    write(project, FILE.replace(old, new))
    with pytest.raises(PipelineError, match=message):
        load_study(project, "two")


def test_names_that_are_not_there(project: Path) -> None:
    with pytest.raises(PipelineError, match="no study 'too' in recipes/studies/; did you mean 'two'"):
        load_study(project, "too")
    with pytest.raises(PipelineError, match="has no arm 'view'; did you mean 'views'"):
        load_study(project, "two").trials("val", ["view"])


def test_rows_are_sorted_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "runs.csv"
    key = {"study": "two", "arm": "views", "warm_up": 10, "seed": 1, "split": "val"}
    add_row(path, key | {"joint.mAP": 51.23456789, "cpu_seconds": None})
    add_row(path, key | {"warm_up": 9, "joint.mAP": 50.0, "views.ssim": 0.25})
    rows = read_rows(path)
    assert [row["warm_up"] for row in rows] == ["9", "10"]
    assert rows[1] == {
        "study": "two",
        "arm": "views",
        "warm_up": "10",
        "seed": "1",
        "split": "val",
        "joint.mAP": "51.2346",
        "cpu_seconds": "",
        "views.ssim": "",
    }
    assert finished(rows) == {("two", "views", "9", "1", "val"), ("two", "views", "10", "1", "val")}
    assert read_rows(tmp_path / "none.csv") == []


def test_a_trial_s_points_take_the_place_of_those_of_an_earlier_start(tmp_path: Path) -> None:
    key = {"study": "two", "arm": "views", "warm_up": 1, "seed": 1, "split": "val"}
    add_points(tmp_path, "hits", key, [{"apart": 45, "warm_up": 0.5}, {"apart": 90, "warm_up": 0.25}])
    add_points(tmp_path, "hits", key | {"seed": 2}, [{"apart": 45, "warm_up": 1.0}])
    add_points(tmp_path, "hits", key, [{"apart": 45, "warm_up": 0.75}])
    rows = read_rows(tmp_path / CURVES / "hits.csv")
    assert [(row["warm_up"], row["seed"], row["hits.apart"], row["hits.warm_up"]) for row in rows] == [
        ("1", "1", "45", "0.75"),
        ("1", "2", "45", "1"),
    ]


class _Recorded(Slot):
    """A slot that writes down what it is asked for."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def run(self, trial: Trial, log: Path) -> Finished:
        self.asked.append(("begin", trial.name))
        if trial.seed == 2 and trial.arm.name == "plain":
            raise PipelineError("no luck")
        self.asked.append(("end", trial.name))
        return Finished({"joint.mAP": 1.0}, {})


class _Broken(Slot):
    def run(self, trial: Trial, log: Path) -> Finished:
        raise KeyError("a bug")


@pytest.mark.timeout(60)
def test_what_nobody_expected_ends_the_study_and_does_not_hang_it(project: Path, tmp_path: Path) -> None:
    trials = load_study(project, "two").trials("val")
    with pytest.raises(KeyError, match="a bug"):
        list(run_trials(trials, [_Broken(project, tmp_path / "a", 1)], tmp_path))


def test_all_trials_end_and_shared_stages_are_done_by_one_of_them(project: Path, tmp_path: Path) -> None:
    trials = load_study(project, "two").trials("val")
    slots = [_Recorded(project, tmp_path / name, 1) for name in "ab"]
    _Recorded.asked.clear()
    outcomes = dict((trial.name, outcome) for trial, outcome in run_trials(trials, slots, tmp_path))
    assert set(outcomes) == {trial.name for trial in trials}
    failed = {name for name, outcome in outcomes.items() if isinstance(outcome, Exception)}
    assert failed == {"two-plain-w1-s2", "two-plain-w2-s2"}
    for warm_up in (1, 2):
        own = [(what, name) for what, name in _Recorded.asked if f"-w{warm_up}-" in name]
        assert own[1] == ("end", own[0][1])
