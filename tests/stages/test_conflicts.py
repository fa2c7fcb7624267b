"""Settings that are possible alone and impossible together: told before work, by all in the same words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.params import load_params
from stages.doctor.checks import CHECKS, Configuration
from stages.shared.run import Options, Project
from stages.shared.sections import require_all, require_own
from tests.stages.odd_project import refused
from tests.stages.small_project import SmallProject

CONFLICTS: list[tuple[dict[str, Any], str, str]] = [
    (
        {
            "mesh_extract__splits": ["train"],
            "prepare_data__synthetic__val_identities": 0,
            "evaluate__test_views": ["mirror"],
        },
        "mesh_extract.splits lacks query, gallery, and render_views.splits has it; add query, gallery there",
        "render-views",
    ),
    (
        {"render_views__splits": ["query"]},
        "render_views.splits lacks train, whose views the generator learns from; add train there",
        "pretrain-generator",
    ),
    (
        {
            "pretrain_generator__generator__paints": "views",
            "pretrain_generator__epochs": 1,
            "train_joint__contrast__mixup": "d_mixup",
        },
        "pretrain_generator.generator.paints is views, and train_joint.contrast.mixup is d_mixup, which "
        "mixes codes; set train_joint.contrast.mixup to body",
        "train-joint",
    ),
    (
        {"pretrain_generator__epochs": 0, "train_joint__contrast__views": "generated"},
        "train_joint shows what a generator paints that never learnt: pretrain_generator.epochs is 0; take "
        "recipes/painted.yaml or repaired.yaml",
        "train-joint",
    ),
    (
        {
            "prepare_data__dataset": "market1501",
            "evaluate__test_views": ["turned"],
            "mesh_extract__splits": ["train", "gallery"],
            "render_views__splits": ["train"],
        },
        "evaluate.test_views has turned, and mesh_extract.splits lacks query; add query there",
        "evaluate",
    ),
    (
        {"prepare_data__dataset": "market1501", "evaluate__split": "val"},
        "evaluate.split is val, and the data set has no such images; set it to test",
        "evaluate",
    ),
    (
        {"prepare_data__dataset": "market1501", "mesh_extract__estimator": "ground_truth"},
        "mesh_extract.estimator is ground_truth, and prepare_data.dataset is market1501: only the synthetic "
        "benchmark has a truth; set mesh_extract.estimator to blazepose",
        "mesh-extract",
    ),
    (
        {
            "prepare_data__dataset": "market1501",
            "train_joint__oracle": "true_views",
            "train_joint__contrast__views": "warped",
        },
        "train_joint.oracle is true_views, and prepare_data.dataset is market1501: only the synthetic "
        "benchmark has true views; set train_joint.oracle to none",
        "train-joint",
    ),
]


def first_stage(project: SmallProject) -> str:
    """The line that the graph's first stage ends with."""
    done = project.run("fingerprint-code")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), (done.out, done.err)
    return done.err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize(("changes", "line", "stage"), CONFLICTS)
def test_all_who_can_know_of_it_tell_a_conflict_in_the_same_words(
    small: SmallProject, changes: dict[str, Any], line: str, stage: str
) -> None:
    small.set(**changes)
    assert first_stage(small) == line
    assert refused(small, stage) == line
    finding = CHECKS[0].look(Configuration(Project.open(Options())))
    assert (finding.state, f"{finding.found}; {finding.to_do}") == ("missing", line)
    assert sorted(path.name for path in small.folder.iterdir()) == ["dvc.yaml", "params.yaml"]


def test_a_stage_tells_nothing_of_what_it_has_no_part_in(small: SmallProject) -> None:
    """Neither a conflict that stops a later one, nor another section that is wrong by itself."""
    no_input = "data/manifest.parquet is missing: run `dvc repro prepare-data` first"
    small.set(mesh_extract__splits=["query"], mesh_extract__estimator="mean_pose")
    assert refused(small, "mesh-extract") == no_input
    small.set(render_views__splits=["query"], train_joint__lr="fast", pretrain_generator__batch_size=-1)
    assert refused(small, "render-views") == no_input
    assert "pretrain_generator.batch_size is -1" in first_stage(small)


def test_an_unknown_shared_key_stops_the_stages_that_read_the_section(small: SmallProject) -> None:
    params = load_params(small.folder / "params.yaml")
    values = {**params.values, "clustering": {**params.value("clustering"), "k3": 1}}
    wrong = replace(params, values=values)
    require_own(wrong, "mesh_extract")
    for check in (require_all, lambda params: require_own(params, "train_joint")):
        with pytest.raises(PipelineError, match=r"clustering\.k3: unknown key; did you mean 'k[12]'\?"):
            check(wrong)
    unknown = replace(params, values={**params.values, "clusterin": {}})
    require_own(unknown, "train_joint")
    with pytest.raises(PipelineError, match="clusterin: unknown key; did you mean 'clustering'"):
        require_all(unknown)
