"""What a look over a folder of crops finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from genreid.data import survey as module
from genreid.data.survey import survey
from genreid.progress import Silent
from tests.genreid.data.datasets.trees import picture


def write(root: Path, name: str, height: int, width: int, seed: int) -> None:
    cv2.imencode(".png", picture(seed, height, width))[1].tofile(root / name)


def test_sizes_tiny_wide_unreadable_and_copies(tmp_path: Path) -> None:
    for seed, (name, height, width) in enumerate(
        [
            ("a.png", 100, 50),
            ("b.png", 120, 40),
            ("low.png", 31, 16),
            ("thin.png", 32, 15),
            ("edge.png", 32, 16),
            ("wide.png", 60, 61),
        ]
    ):
        write(tmp_path, name, height, width, seed)
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    (tmp_path / "text.jpg").write_text("no picture")
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flip.png").write_bytes(whole[:-20] + b"0" + whole[-19:])  # of one size, and not the same
    names = sorted(path.name for path in tmp_path.iterdir())
    found = survey(tmp_path, names, Silent(), num_threads=2)
    assert found.num_images == found.opened == 10
    assert sorted(found.heights.tolist())[:4] == [31, 32, 32, 60] and int(found.widths.max()) == 61
    assert found.tiny == ["low.png", "thin.png"] and found.wide == ["wide.png"]
    assert {path for path, _ in found.unreadable} >= {"text.jpg", "short.png"}
    assert dict(found.unreadable)["text.jpg"] == "no image"
    assert found.copies == [["a.png", "copy.png"]] and found.num_copies == 1
    assert found.seconds > 0


def test_of_very_many_some_are_opened_and_all_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OPENED", 4)
    for seed in range(9):
        write(tmp_path, f"{seed}.png", 40, 20, seed % 8)  # the last is the first again
    names = [f"{seed}.png" for seed in range(9)]
    found = survey(tmp_path, names, Silent())
    assert (found.num_images, found.opened, len(found.heights)) == (9, 4, 4)
    assert found.copies == [["0.png", "8.png"]]


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    write(tmp_path, "a.png", 40, 20, 1)
    found = survey(tmp_path, ["a.png", "gone.png"], Silent())
    assert [path for path, _ in found.unreadable] == ["gone.png"]
    assert isinstance(found.heights, np.ndarray) and found.copies == []
