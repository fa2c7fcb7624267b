from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pipeline import tracking
from pipeline.artifacts import FOLDER_MARK
from pipeline.tracking import Bars, Tracker, progress_line


@dataclass
class Report:
    epoch: int
    num_epochs: int
    figures: dict[str, float]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


def plain() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=200)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    with (folder / "plots" / "metrics" / f"{name}.tsv").open() as stream:
        return [
            (int(row["step"]), float(row[name.rpartition("/")[2]]))
            for row in csv.DictReader(stream, delimiter="\t")
        ]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_progress_line() -> None:
    assert progress_line("embedding", 1024, 4096, seconds=4.0) == "embedding 1024/4096, 256/s, 12 s left"
    assert progress_line("estimating", 2, 10, seconds=8.0) == "estimating 2/10, 4.0 s each, 32 s left"
    assert progress_line("reading", 100, None, seconds=2.0) == "reading 100, 50/s"


def test_off_a_terminal_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 1000, 5))
    monkeypatch.setattr(tracking.time, "monotonic", lambda: float(next(seconds)))
    console = plain()
    assert list(Bars(console=console).track(range(8), "rendering")) == list(range(8))
    assert text(console).splitlines() == [
        "rendering 3/8, 5.0 s each, 25 s left",
        "rendering 6/8, 5.0 s each, 10 s left",
    ]


def test_on_a_terminal_bars_within_bars_leave_nothing_behind() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    bars = Bars(console=console)
    seen = [(i, j) for i in bars.track(range(2), "outer") for j in bars.track(range(2), "inner")]
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert bars._display is None
    assert "outer" in text(console) and "inner" in text(console)


def test_colours_that_are_asked_for_are_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a notebook, whose kernel sets it for all that it starts."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(Bars().track(range(8), "rendering")) == list(range(8))
    assert capsys.readouterr().err == ""  # a bar would be there from the first item on


def test_silence() -> None:
    console = plain()
    bars = Bars(show=False, console=console)
    bars.say("a word")
    assert list(bars.track(range(3), "work")) == [0, 1, 2]
    assert text(console) == ""


def test_curves_of_a_run_that_went_on_equal_an_undisturbed_ones(tmp_path: Path) -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    reports = [
        Report(
            epoch, 3, {"loss/image": 1 / (epoch + 1), "clusters": epoch + 1}, {"views": picture * (epoch + 1)}
        )
        for epoch in (0, 1, 2)
    ]

    undisturbed = Tracker(tmp_path / "live-a", [], console=plain())
    for report in reports:
        undisturbed.report(report)
    undisturbed.publish(tmp_path / "a")

    killed = Tracker(tmp_path / "live-b", [], console=plain())
    killed.report(reports[0])
    kept = list(killed._history)  # the snapshot is taken here
    killed.report(reports[1])

    console = plain()
    resumed = Tracker(tmp_path / "live-b", kept, console=console)
    for report in reports[1:]:
        resumed.report(report)
    resumed.publish(tmp_path / "b")

    assert curve(tmp_path / "b", "loss/image") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*") if path.is_file()
    )
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    shown = np.asarray(Image.open(tmp_path / "b" / "plots" / "images" / "views" / "0002.png"))
    assert np.array_equal(shown, picture * 2)
    assert text(console).splitlines()[0] == "epoch 2/3  loss/image 0.5  clusters 2"


def test_dvclive_writes_nothing_but_its_folder(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path / "state" / "live", [], console=plain())
    tracker.report(Report(0, 1, {"loss": 0.5}))
    tracker.publish(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "state"]
    assert sorted(
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    ) == [
        FOLDER_MARK,
        "metrics.json",
        "plots/metrics/loss.tsv",
    ]
