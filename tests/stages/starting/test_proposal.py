"""What is read off a folder of crops, and what is proposed for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from genreid.errors import GenreidError
from genreid.models.speed import Speed
from genreid.progress import Silent
from genreid.training.expected import Pace, joint_seconds
from genreid.training.settings.joint import JointSettings
from genreid.warping.speed import Turning
from pipeline.params import Params, load_params, section
from pipeline.recipes import load_overrides, write_overrides
from stages.shared.conflicts import conflicts
from stages.shared.sections import all_sections
from stages.starting.crops import Crops, findings, look_at
from stages.starting.expected import _Planned, num_trained_on
from stages.starting.proposal import Proposed, dataset_path, propose
from stages.starting.templates import templates
from tests.genreid.data.datasets.trees import write_images
from tests.stages.starting.crops_made import market_names, published

ROOT = Path(__file__).parents[3]
PARAMS = load_params(ROOT / "params.yaml")


def proposed(crops: Crops, recipe: str = "photographs") -> dict[str, Proposed]:
    values = load_overrides(PARAMS, ROOT / "recipes", recipe)
    defaults = {key: PARAMS.value(key) for key in PARAMS.lines}
    return {one.key: one for one in propose(crops, recipe, values, defaults, "/data/crops")}


def look(folder: Path, pattern: str | None = None) -> Crops:
    return look_at(folder, pattern, Silent(), 1)


def written(values: Mapping[str, Proposed], folder: Path) -> Params:
    """params.yaml with what is proposed."""
    path = folder / "params.yaml"
    path.write_bytes(templates()["params.yaml"])
    write_overrides(path, {key: one.value for key, one in values.items()})
    return load_params(path)


def test_names_that_tell_persons_give_a_measure(tmp_path: Path) -> None:
    write_images(tmp_path / "crops", market_names(60, 2, 1))
    crops = look(tmp_path / "crops")
    found = dict(findings(crops))
    assert found["crops"] == "120" and "Market-1501" in found["read as"]
    assert found["cameras"] == "2 (crops of each: 1: 60, 2: 60)"
    assert found["persons"] == "60, 60 of them in two cameras or more"
    values = proposed(crops)
    assert values["prepare_data.dataset"].value == "folder"
    assert values["prepare_data.val_identities"].value == 12  # one of five
    assert values["evaluate.split"].value == "val"
    assert num_trained_on(crops, 12) == 96  # 48 persons of two crops each
    params = written(values, tmp_path)
    assert list(conflicts(all_sections(params))) == []
    assert params.value("paths.dataset") == "/data/crops"


def test_names_that_tell_nothing_are_all_trained_on(tmp_path: Path) -> None:
    write_images(tmp_path / "crops", [f"{folder}/{n}.png" for folder in ("a", "b") for n in range(60)])
    crops = look(tmp_path / "crops")
    found = dict(findings(crops))
    assert "neither camera nor person" in found["read as"] and "2 folders may" in found["read as"]
    assert found["cameras"].startswith("unknown") and found["persons"].startswith("unknown")
    values = proposed(crops)
    assert values["prepare_data.folder.train"].value == ".*"
    assert values["prepare_data.val_identities"].value == 0 and "evaluate.split" not in values
    assert list(conflicts(all_sections(written(values, tmp_path)))) == []


def test_a_pattern_of_the_users_is_taken(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{folder}/{n}.png" for folder in ("hall", "gate") for n in range(60)])
    crops = look(tmp_path, "(?P<camera>[^/]+)/.*")
    assert dict(findings(crops))["cameras"] == "2 (crops of each: 1: 60, 2: 60)"
    assert proposed(crops)["prepare_data.folder.train"].value == "(?P<camera>[^/]+)/.*"


def test_a_published_data_set_is_read_as_itself(tmp_path: Path) -> None:
    published(tmp_path / "crops")
    crops = look(tmp_path / "crops")
    assert dict(findings(crops))["crops"] == "144: 120 train, 6 query, 18 gallery"
    values = proposed(crops)
    assert values["prepare_data.dataset"].value == "market1501"
    assert "prepare_data.folder.train" not in values and "evaluate.split" not in values
    assert list(conflicts(all_sections(written(values, tmp_path)))) == []


def test_one_half_of_a_published_data_set_is_a_folder(tmp_path: Path) -> None:
    write_images(tmp_path / "bounding_box_train", market_names(30, 2, 2))
    assert look(tmp_path).dataset == "folder"


@pytest.mark.parametrize("recipe", ["photographs", "photographs_gpu", "market1501"])
def test_everything_that_is_set_has_a_reason_of_one_line(tmp_path: Path, recipe: str) -> None:
    write_images(tmp_path, market_names(60, 2, 1))
    values = proposed(look(tmp_path), recipe)
    assert set(load_overrides(PARAMS, ROOT / "recipes", recipe)) <= set(values)
    for one in values.values():
        assert one.why and "\n" not in one.why and len(one.why) < 120, one
    if recipe != "market1501":
        assert not [one for one in values.values() if one.why.startswith("as recipes/")]


def test_how_often_a_crop_is_seen_is_counted(tmp_path: Path) -> None:
    write_images(tmp_path, market_names(50, 2, 2))  # 200 crops
    values = proposed(look(tmp_path))
    said = values["pretrain_encoder.epochs"].why
    # 20 epochs of 40 steps of 16 × 4 crops; 4 of 120 steps of 32
    assert "800 steps of 64 crops in all: each of 200 about 256 times" in said
    assert "480 steps of 32 crops in all: each of 200 about 77 times" in values["train_joint.epochs"].why
    assert "crops are 16 high" in values["prepare_data.height_px"].why
    assert "falls by 10 after every 3 of 4 epochs" in values["train_joint.lr_step_epochs"].why
    assert "stays as it is for all of the 20 epochs" in values["pretrain_encoder.lr_step_epochs"].why


def test_what_looks_wrong_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{n:03}.png" for n in range(5)])
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "notes.txt").write_text("stray")
    (tmp_path / "again.png").write_bytes((tmp_path / "001.png").read_bytes())
    lines = dict(findings(look(tmp_path)))
    assert lines["unreadable"].startswith("1, left out by the run: bad.jpg (no image)")
    assert lines["copies"] == "1 file with the bytes of another: 001.png = again.png"
    assert lines["tiny"].startswith("6 under 32 px high or 16 wide")
    assert lines["left out"] == "1 file (no image file): notes.txt"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "no image in it"),
        (["a.txt"], "no image in it"),
        ([f"{n}.png" for n in range(99)], "99 crops to train on, and clusters to learn from need 100"),
    ],
)
def test_too_little_is_said_in_a_line(tmp_path: Path, names: list[str], said: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    write_images(tmp_path, [name for name in names if name.endswith(".png")])
    with pytest.raises(GenreidError, match=said) as error:
        proposed(look(tmp_path))
    assert "\n" not in str(error.value)


def test_a_folder_in_which_nothing_can_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(GenreidError, match=r"none of 1 images can be read \(a.jpg: no image\)"):
        look(tmp_path)


def test_the_crops_path_is_relative_inside_the_project_alone(tmp_path: Path) -> None:
    assert dataset_path(tmp_path / "p" / "crops", tmp_path / "p") == "crops"
    assert dataset_path(tmp_path / "crops", tmp_path / "p") == str(tmp_path / "crops")
    for project in (tmp_path / "crops", tmp_path / "crops" / "p"):
        with pytest.raises(GenreidError, match="make the project elsewhere"):
            dataset_path(tmp_path / "crops", project)


def test_joint_training_that_is_planned_is_counted_as_that_which_runs(tmp_path: Path) -> None:
    settings = _photographs() | {"train_joint.cluster_views": "turned"}
    values = {key: Proposed(key, value, "") for key, value in settings.items()}
    joint = section(written(values, tmp_path), "train_joint", JointSettings)
    planned: Any = _Planned(100, (45, 90, 135, 180, 225, 270, 315))
    pace = Pace(Speed(looking=1.0, learning=10.0), 0.0, Turning(person=0.0, view=0.0))
    # 4 epochs look at 100 crops and three turns of each, the memory at the crops once; 4 × 120 steps learn
    # from 32 crops, their second views and their mixtures
    assert joint_seconds(joint, planned, planned, pace) == 4 * 100 * 4 + 100 + 10 * 4 * 120 * 32 * 3


def _photographs() -> dict[str, Any]:
    return load_overrides(PARAMS, ROOT / "recipes", "photographs")
