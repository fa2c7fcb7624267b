"""Photographs of known heading: who they show, and where the true views are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.photographs.crops import Photographs, named_headings, read_photographs
from genreid.errors import GenreidError
from tests.benchmarks.photographs.conftest import SIZE_PX


def test_names_say_who_stands_where_and_how(photographs: Photographs) -> None:
    place = photographs.image_id.index("0004_c2_h-045")
    assert (photographs.person[place], photographs.camera[place]) == (4, 2)
    assert photographs.heading_deg[place] == 315
    assert photographs.load(np.array([place])).shape == (1, *SIZE_PX, 3)


@pytest.mark.parametrize(
    ("name", "yaw_deg", "wanted"),
    [
        ("0002_c1_h+000", 90, "0002_c1_h+090"),
        ("0002_c1_h+135", 90, "0002_c1_h-135"),
        ("0004_c2_h-045", 315, "0004_c2_h-090"),
        ("0004_c1_h+180", 180, "0004_c1_h+000"),
    ],
)
def test_turned(photographs: Photographs, name: str, yaw_deg: int, wanted: str) -> None:
    (place,) = photographs.turned(np.array([photographs.image_id.index(name)]), yaw_deg)
    assert photographs.image_id[place] == wanted


def test_a_side_that_is_missing(folder: Path, photographs: Photographs) -> None:
    few = read_photographs(folder, "even", SIZE_PX)
    keep = [row for row, name in enumerate(few.image_id) if name != "0002_c1_h+090"]
    part = Photographs(
        [few.image_id[row] for row in keep],
        [few.natives[row] for row in keep],
        few.person[keep],
        few.camera[keep],
        few.heading_deg[keep],
        *SIZE_PX,
    )
    front = np.array([part.image_id.index("0002_c1_h+000")])
    assert part.turned(front, 90)[0] == -1 and part.turned(front, 135)[0] >= 0


def test_the_other_half_and_other_names_are_left_out(tmp_path: Path) -> None:
    for name in (
        "0001_c1_h+090.png",
        "0002_c1_h-90.png",
        "0002_c1.png",
        "0002_c1_h+090.jpg",
        "0012_c3_h000.png",
    ):
        (tmp_path / name).touch()
    assert [label for _, label in named_headings(tmp_path, "even")] == [(2, 1, -90), (12, 3, 0)]
    assert [label for _, label in named_headings(tmp_path, "odd")] == [(1, 1, 90)]
    assert len(named_headings(tmp_path, "all")) == 3


def test_a_folder_without_photographs(tmp_path: Path) -> None:
    with pytest.raises(GenreidError, match=r"no photograph of a person of odd number.*0002_c1_h\+090\.png"):
        named_headings(tmp_path, "odd")
