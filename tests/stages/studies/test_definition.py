from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from stages.studies.definition import load_study, study_names

ROOT = Path(__file__).parents[3]
FILE = """\
title: Two arms
reference: plain
common:
  train_joint.epochs: 2
trials: {1: [1, 2], 2: [1, 2]}
contrasts:
  Is it the views?: [views, plain]
series:
  amount:
    views: {plain: 0, views: 1, three/views: 2.5}
pictured: [views]
arms:
  plain:
    about: nothing
    params: {train_joint.contrast.views: none}
  views:
    about: rotated views
    params: {train_joint.contrast.views: generated}
    trials: {2: [1, 2]}
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
    write(project, FILE.replace("trials: {2: [1, 2]}", "trials: {1: [2], 3: [1, 4]}"))
    trials = load_study(project, "two").trials("val", ["views"])
    assert [trial.name for trial in trials] == ["two-views-w1-s2", "two-views-w3-s1", "two-views-w3-s4"]


def test_some_warm_ups_are_run_by_their_number(project: Path) -> None:
    """One warm-up with all its arms is what one machine has to do."""
    study = load_study(project, "two")
    assert [trial.name for trial in study.trials("val", warm_ups=[1])] == [
        "two-plain-w1-s1",
        "two-plain-w1-s2",
    ]
    assert [trial.name for trial in study.trials("val", ["views"], [2])] == [
        "two-views-w2-s1",
        "two-views-w2-s2",
    ]
    with pytest.raises(PipelineError, match=r"^study two has no warm-up 3: it has 1, 2$"):
        study.trials("val", warm_ups=[2, 3])


def test_further_pairs_of_arms_are_named_by_their_question(project: Path) -> None:
    assert load_study(project, "two").contrasts == {"Is it the views?": ("views", "plain")}


def test_arms_of_other_studies_stand_in_a_series_by_the_name_of_theirs(project: Path) -> None:
    lines = load_study(project, "two").series["amount"]
    assert lines["views"] == {"plain": 0, "views": 1, "three/views": 2.5}


def test_all_arms_are_pictured_unless_some_are_named(project: Path) -> None:
    assert load_study(project, "two").pictured == ["views"]
    write(project, FILE.replace("pictured: [views]\n", ""))
    assert load_study(project, "two").pictured == ["plain", "views"]


def test_trials_of_one_warm_up_share_what_comes_before_joint_training(project: Path) -> None:
    first, other_seed, other_warm_up, other_arm = load_study(project, "two").trials("val")[:4]
    assert first.before_joint == other_seed.before_joint
    assert other_warm_up.before_joint == other_arm.before_joint
    assert first.before_joint != other_warm_up.before_joint


FOLDS = "warm_ups: {1: {prepare_data.seed: 7}, 2: {prepare_data.seed: 8, train_joint.epochs: 3}}\narms:\n"


def test_params_of_a_warm_up_are_those_of_all_its_trials(project: Path) -> None:
    """As a fold has its own persons. They stand above what all share, and below what an arm changes."""
    changed = FILE.replace("arms:\n", FOLDS).replace(
        "views: generated", "views: generated, train_joint.epochs: 4"
    )
    write(project, changed)
    seen = {
        (trial.arm.name, trial.warm_up): [
            trial.overrides[key] for key in ("prepare_data.seed", "train_joint.epochs")
        ]
        for trial in load_study(project, "two").trials("val")
    }
    assert seen == {("plain", 1): [7, 2], ("plain", 2): [8, 3], ("views", 2): [8, 4]}


def test_a_trial_on_the_test_identities_has_another_name(project: Path) -> None:
    (trial, *_) = load_study(project, "two").trials("test", ["views"])
    assert trial.name == "two-views-w2-s1-test"
    assert trial.overrides["evaluate.split"] == "test"


def test_a_study_in_a_folder_is_closed_and_keeps_params_of_its_time(project: Path) -> None:
    folder = project / "recipes" / "studies" / "2025-01"
    folder.mkdir()
    text = FILE.replace("train_joint.epochs", "train_joint.gone").replace("contrast.views", "also_gone")
    (folder / "two.yaml").write_text(text, encoding="utf-8")
    assert {"two", "2025-01/two", "2026-11/mixup"} <= set(study_names(project))
    closed, today = load_study(project, "2025-01/two"), load_study(project, "two")
    assert (closed.name, closed.period, closed.in_rows) == ("2025-01/two", "2025-01", "two")
    assert (today.name, today.period, today.in_rows) == ("two", "", "two")
    assert closed.common == {"train_joint.gone": 2}
    assert closed.arms["plain"].params == {"train_joint.also_gone": "none"}
    with pytest.raises(PipelineError, match=r"no study '2025-01/too' in .*; did you mean '2025-01/two'"):
        load_study(project, "2025-01/too")


def test_an_arm_that_is_told_the_truth_has_a_mark(project: Path) -> None:
    study = load_study(project, "two")
    assert [study.title_of(arm) for arm in ("plain", "views", "of another study")] == [
        "plain",
        "views",
        "of another study",
    ]
    told = "params: {train_joint.oracle: true_labels, train_joint.contrast.views: none}"
    write(project, FILE.replace("params: {train_joint.contrast.views: none}", told))
    study = load_study(project, "two")
    assert (study.title_of("plain"), study.title_of("views")) == ("plain (oracle)", "views")
    write(project, FILE.replace("train_joint.epochs: 2", "train_joint.oracle: true_views"))
    assert load_study(project, "two").title_of("views") == "views (oracle)"


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
        (
            "trials: {2: [1, 2]}",
            "trials: {2: [1, 1]}",
            r"views.trials: expected different integers, .*\[1, 1\]",
        ),
        ("trials: {2: [1, 2]}", "trials: [2]", r"two.yaml:\d+: arms.views.trials: expected keys and values"),
        ("trials: {2: [1, 2]}", "trials: {one: [2]}", r"views.trials: expected different integers, .*'one'"),
        (
            "trials: {2: [1, 2]}",
            "trials: {1: 2}",
            r"views.trials: expected different integers, .*got \{1: 2\}",
        ),
        ("trials: {1: [1, 2], 2: [1, 2]}", "trials: {}", r"two.yaml:5: trials: expected different integers"),
        ("[views, plain]", "[views]", r"contrasts.Is it the views\?: expected two arms, .*got \['views'\]"),
        ("[views, plain]", "[veiws, plain]", r"no arm 'veiws'; did you mean 'views'"),
        ("{plain: 0,", "{plane: 0,", r"series.amount.views: no arm 'plane'; did you mean 'plain'"),
        (
            "{plain: 0,",
            "{plain: none,",
            r"series.amount.views: expected arms and their numbers, .*'plain': 'none'",
        ),
        (
            "arms:\n",
            "warm_ups: {3: {}}\narms:\n",
            r"two.yaml:\d+: warm_ups: expected params by warm-up \(1, 2\)",
        ),
        ("arms:\n", "warm_ups: {1: 3}\narms:\n", r"warm_ups: expected params by warm-up .*got \{1: 3\}"),
        ("arms:\n", "warm_ups: {1: {a.b: 3}}\narms:\n", r"two.yaml:\d+: warm_ups: a.b: "),
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
