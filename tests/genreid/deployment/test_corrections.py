from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreid.deployment.corrections import (
    Correction,
    is_unanswered,
    links_of,
    read_corrections,
    table_text,
)
from genreid.errors import GenreidError


def test_questions_are_answered_in_their_own_file(tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    asked = {"one": "a,b.png", "other": 'c "d".png', "asked": "same?", "cosine": "0.5"}
    path.write_text(table_text([asked, {"one": "e", "other": "f"}]))
    assert is_unanswered(path) and read_corrections(path) == []
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "different" + lines[1], lines[2]]), encoding="utf-8-sig")
    assert not is_unanswered(path)
    assert read_corrections(path) == [Correction("different", "a,b.png", 'c "d".png', 2)]


def test_a_table_by_hand_needs_three_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("other,one,answer\nb.png,a.png,same\n")
    assert read_corrections(path) == [Correction("same", "a.png", "b.png", 2)]
    assert not is_unanswered(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"answer,one\nsame,a\n", "expected the columns answer, one, other"),
        (b"", "expected the columns answer, one, other"),
        (b"answer,one,other\nsame,a,b\nyes,a,b\n", r"csv:3: the answer is 'yes': expected same or different"),
        (b"answer,one,other\nsame,a,a\n", r"csv:2: expected the paths of two different images"),
        (b"answer,one,other\nsame,a\n", r"csv:2: expected the paths of two different images"),
        (b"\xff\xfe\x00", "no readable text in UTF-8"),
        (b'answer,one,other\n"same,a,b\n', "no readable CSV"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(GenreidError, match=message):
        read_corrections(path)
    assert not is_unanswered(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match="no such file"):
        read_corrections(tmp_path / "none.csv")


def test_links_are_positions() -> None:
    said = [Correction("same", "b", "a", 2), Correction("different", "c", "a", 3)]
    links = links_of(said, Path("x.csv"), ["a", "b", "c"], np.array([-1, 4, -1]))
    assert links.same.tolist() == [[1, 0]] and links.different.tolist() == [[2, 0]]
    assert links.name.tolist() == [-1, 4, -1]
    with pytest.raises(GenreidError, match=r"x.csv:2: no readable image is called 'b'"):
        links_of(said, Path("x.csv"), ["a", "c"], np.array([-1, -1]))
    assert links_of([], None, [], np.array([])).same.shape == (0, 2)
