"""`genreid init` as its user sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.params import load_params
from pipeline.recipes import write_overrides
from stages.shared.sections import require_all
from stages.starting import expected, first_look, project
from stages.starting.expected import Expected
from tests.genreid.data.datasets.trees import write_images
from tests.stages.small_project import ROOT, Outcome, command_line
from tests.stages.starting.crops_made import market_names

Genreid = Callable[..., Outcome]


@pytest.fixture
def genreid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Genreid:
    """The command line in this process, in an empty folder; DVC is not begun, which takes seconds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "_begin_dvc", lambda folder, files: "")
    return command_line(monkeypatch, capfd)


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed: networks take seconds."""

    def times(*arguments: Any) -> list[Expected]:
        return [Expected("prepare-data", 90.0, "said"), Expected("train-joint", None, "said")]

    monkeypatch.setattr(first_look, "expected_times", times)


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    write_images(tmp_path / "crops", market_names(60, 2, 1))
    return tmp_path / "crops"


def test_a_project_is_made_and_the_next_lines_are_told(genreid: Genreid, tmp_path: Path) -> None:
    done = genreid("init", "reid")
    assert done.code == 0, done.err
    require_all(load_params(tmp_path / "reid" / "params.yaml"))
    assert done.out.splitlines()[-4:] == ["Next:", "  cd reid", "  genreid doctor", "  dvc repro"]


def test_recipes_are_found_in_it(genreid: Genreid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genreid("init", "reid")
    monkeypatch.chdir(tmp_path / "reid")
    done = genreid("overrides", "photographs")
    assert "-S mesh_extract.estimator=blazepose" in done.out


def test_a_second_time_nothing_of_the_users_is_written_over(genreid: Genreid, tmp_path: Path) -> None:
    genreid("init", "reid")
    params = tmp_path / "reid" / "params.yaml"
    write_overrides(params, {"train_joint.epochs": 3})
    before = params.read_bytes()
    done = genreid("init", "reid")
    assert done.code == 2 and done.err.startswith("error: reid: params.yaml is there already")
    assert len(done.err.splitlines()) == 1 and params.read_bytes() == before


@pytest.mark.usefixtures("untimed")
def test_crops_are_looked_at_told_and_set(genreid: Genreid, tmp_path: Path, crops: Path) -> None:
    done = genreid("init", "reid", "--crops", "crops", "--no-progress")
    assert done.code == 0, done.err
    params = load_params(tmp_path / "reid" / "params.yaml")
    require_all(params)
    assert params.value("paths.dataset") == str(crops)
    assert params.value("prepare_data.val_identities") == 12
    assert params.value("pretrain_encoder.encoder.backbone") == "mobilenetv2_100"
    for told in ("120", "Market-1501", "60 of them in two cameras", "about 2 minutes", "memory: about"):
        assert told in done.out, told
    assert "genreid models get blazepose_full mobilenetv2" in done.out
    # every line of the file is still there, with its comment
    comments = [line.partition(" #")[2] for line in (ROOT / "params.yaml").read_text().splitlines()]
    kept = (tmp_path / "reid" / "params.yaml").read_text()
    assert all(comment in kept for comment in comments if comment)


@pytest.mark.usefixtures("untimed")
def test_a_dry_run_says_the_same_and_writes_nothing(genreid: Genreid, tmp_path: Path, crops: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    dry = genreid("init", "reid", "--crops", "crops", "--dry-run", "--no-progress")
    assert dry.code == 0 and sorted(tmp_path.rglob("*")) == before
    *said, last = dry.out.splitlines()
    assert last == "Nothing was written (--dry-run)."
    done = genreid("init", "reid", "--crops", "crops", "--no-progress")

    def lasting(lines: list[str]) -> list[str]:
        return [line for line in lines if "disk: about" not in line]

    assert lasting(done.out.splitlines())[: len(said) - 1] == lasting(said)


@pytest.mark.usefixtures("untimed")
def test_settings_alone_are_written_where_it_is_asked_for(
    genreid: Genreid, tmp_path: Path, crops: Path
) -> None:
    genreid("init", "reid")
    params = tmp_path / "reid" / "params.yaml"
    write_overrides(params, {"evaluate.max_rank": 20})
    refused = genreid("init", "reid", "--crops", "crops", "--no-progress")
    assert refused.code == 2 and "params.yaml by --force" in refused.err
    done = genreid("init", "reid", "--crops", "crops", "--force", "--no-progress")
    assert done.code == 0, done.err
    values = load_params(params)
    assert values.value("evaluate.max_rank") == 20 and values.value("paths.dataset") == str(crops)


@pytest.mark.usefixtures("untimed")
def test_another_recipe_is_taken(genreid: Genreid, tmp_path: Path, crops: Path) -> None:
    done = genreid("init", "reid", "--crops", "crops", "--recipe", "photographs_gpu", "--no-progress")
    assert done.code == 0, done.err
    assert "as --recipe says" in done.out and "genreid models get blazepose_heavy" in done.out
    assert load_params(tmp_path / "reid" / "params.yaml").value("prepare_data.height_px") == 256


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init", "reid", "--crops", "nowhere"), "nowhere is no folder: name the folder of the crops"),
        (
            ("init", "crops/reid", "--crops", "crops"),
            "where a run writes nothing: make the project elsewhere",
        ),
        (("init", "reid", "--crops", "crops", "--recipe", "photos"), "did you mean 'photographs'?"),
        (("init", "reid", "--crops", "crops", "--pattern", "(["), "is no regular expression"),
        (("init", "reid", "--force"), "are for --crops"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    genreid: Genreid, tmp_path: Path, crops: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = genreid(*arguments, "--no-progress")
    assert done.code == 2 and said in done.err and len(done.err.splitlines()) == 1, done.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_what_a_run_takes_is_timed_here(genreid: Genreid, crops: Path) -> None:
    done = genreid("init", "reid", "--crops", "crops", "--dry-run", "--no-progress")
    assert done.code == 0, done.err
    for stage in (
        "prepare-data",
        "mesh-extract",
        "render-views",
        "pretrain-encoder",
        "train-joint",
        "evaluate",
    ):
        row = next(line for line in done.out.splitlines() if line.startswith(f"│ {stage}"))
        assert "about" in row and expected._PAINTED not in row
    painted = genreid("init", "reid", "--crops", "crops", "--recipe", "folder", "--dry-run", "--no-progress")
    assert expected._PAINTED in painted.out
