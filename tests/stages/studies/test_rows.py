from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from stages.studies.command import keep
from stages.studies.definition import Arm, Trial
from stages.studies.rows import CURVES, RUNS, figures, finished, read_rows, write_rows
from stages.studies.trials import Finished

KEY = {"study": "two", "arm": "views", "warm_up": 10, "seed": 1, "split": "val"}


def test_rows_are_sorted_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / RUNS
    write_rows(path, [KEY | {"joint.mAP": 51.23456789, "cpu_seconds": None}])
    write_rows(path, [KEY | {"warm_up": 9, "joint.mAP": 50.0, "views.ssim": 0.25}])
    rows = read_rows(path)
    assert list(rows["warm_up"]) == ["9", "10"], "as numbers, not as words"
    assert rows.iloc[1].to_dict() == {
        **{name: str(value) for name, value in KEY.items()},
        "joint.mAP": "51.2346",
        "cpu_seconds": "",
        "views.ssim": "",
    }
    assert finished(tmp_path) == {("two", "views", "9", "1", "val"), ("two", "views", "10", "1", "val")}
    assert finished(tmp_path / "elsewhere") == set()


def test_what_is_written_as_a_word_stays_as_it_is(tmp_path: Path) -> None:
    """A commit of digits alone is no number."""
    write_rows(tmp_path / RUNS, [KEY | {"commit": "0123456789"}])
    write_rows(tmp_path / RUNS, [KEY | {"seed": 2, "commit": "12e4567890"}])
    assert list(read_rows(tmp_path / RUNS)["commit"]) == ["0123456789", "12e4567890"]


def test_figures_are_of_the_rows_that_have_one(tmp_path: Path) -> None:
    path = tmp_path / RUNS
    write_rows(path, [KEY | {"joint.mAP": 51.5}])
    write_rows(path, [KEY | {"seed": 2, "joint.mAP": None}])
    assert figures(read_rows(path), "joint.mAP").to_dict() == {("views", 10, 1): 51.5}
    assert figures(read_rows(path), "unknown").empty


def test_a_trial_s_points_take_the_place_of_those_of_an_earlier_start(tmp_path: Path) -> None:
    path = tmp_path / "hits.csv"
    write_rows(path, [KEY | {"apart": 45, "hits": 0.5}, KEY | {"apart": 90, "hits": 0.25}])
    write_rows(path, [KEY | {"seed": 2, "apart": 45, "hits": 1.0}])
    write_rows(path, [KEY | {"apart": 45, "hits": 0.75}])
    rows = read_rows(path)
    assert rows[["seed", "apart", "hits"]].to_numpy().tolist() == [["1", "45", "0.75"], ["2", "45", "1"]]


def test_a_finished_trial_leaves_its_points_and_then_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial("two", Arm("views", "rotated views", {}, ()), 10, 1, "val", {})
    curves = {"spread": [{"yaw_deg": 45, "warm_up": 0.5}], "mixtures": [{"lambda": 0.0, "warm_up": 0.25}]}
    ended = Finished({"joint.mAP": 51.5}, curves)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr("stages.studies.command.write_rows", Mock(side_effect=[None, OSError("disk is full")]))
        keep(tmp_path, trial, ended)
    assert finished(tmp_path) == set(), "the trial will be run again"

    keep(tmp_path, trial, ended)
    key = {name: str(value) for name, value in KEY.items()}
    assert read_rows(tmp_path / RUNS).to_dict("records") == [key | {"joint.mAP": "51.5"}]
    points = {"spread.yaw_deg": "45", "spread.warm_up": "0.5"}
    assert read_rows(tmp_path / CURVES / "spread.csv").to_dict("records") == [key | points]
    assert (tmp_path / CURVES / "mixtures.csv").exists()
