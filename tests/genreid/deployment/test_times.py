"""Times in names and on the command line, and which images they choose, against times worked out by hand."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from genreid.deployment.patterns import Told
from genreid.deployment.times import parse_time
from genreid.deployment.where import Where
from genreid.errors import GenreidError


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-31", datetime(2024, 1, 31)),
        ("20240131", datetime(2024, 1, 31)),
        ("2024-01-31T10:15", datetime(2024, 1, 31, 10, 15)),
        ("2024-01-31 10:15:07.25", datetime(2024, 1, 31, 10, 15, 7, 250_000)),
        ("20240131_101507", datetime(2024, 1, 31, 10, 15, 7)),
        ("2024-01-31_10-15-07", datetime(2024, 1, 31, 10, 15, 7)),
        ("20240131101507", datetime(2024, 1, 31, 10, 15, 7)),
        ("2024-01-31T10:15:07Z", datetime(2024, 1, 31, 10, 15, 7)),
        ("2024-01-31T10:15:07+05:30", datetime(2024, 1, 31, 4, 45, 7)),
        ("2024-01-31T22:15-0300", datetime(2024, 2, 1, 1, 15)),
        ("1706696107", datetime(2024, 1, 31, 10, 15, 7)),
        ("1706696107250", datetime(2024, 1, 31, 10, 15, 7, 250_000)),
        ("2024-02-31", None),
        ("2024-01-31T25:00", None),
        ("000151", None),
        ("2024-01-31 and more", None),
        ("", None),
    ],
)
def test_times_are_read_as_people_and_cameras_write_them(text: str, time: datetime | None) -> None:
    assert parse_time(text) == time


def test_paths_tell_cameras_and_times() -> None:
    told = Told(r"^(?P<camera>c\d)", r"_(?P<time>\d+)\.")
    paths = ["c1/a_20240131.png", "x/b_1706696107.png", "c2/none.png"]
    assert told.cameras(paths) == ["c1", None, "c2"]
    assert told.times(paths) == [datetime(2024, 1, 31), datetime(2024, 1, 31, 10, 15, 7), None]
    assert Told().cameras(paths) == Told().times(paths) == [None] * 3
    told.require_found(paths)
    with pytest.raises(GenreidError, match=r"--time-pattern: .* finds no time in any of 1 paths, such as c2"):
        told.require_found(paths[2:])
    with pytest.raises(GenreidError, match=r"--time-pattern: '151' in c1/a_151.png is no time"):
        told.times(["c1/a_151.png"])
    with pytest.raises(GenreidError, match="has no group `time`"):
        Told(time=r"(\d+)")


ROWS = [
    ("a_1.png", "c1", datetime(2024, 1, 30)),
    ("ab1.png", "c1", datetime(2024, 1, 31)),
    ("100%.png", "c2", datetime(2024, 1, 31, 23)),
    ("sub/a_1.png", None, datetime(2024, 2, 1)),
    ("it's.png", "o'clock", None),
]
ASKED = [
    (Where(), [0, 1, 2, 3, 4]),
    (Where(cameras=("c1",)), [0, 1]),
    (Where(cameras=("c2", "o'clock")), [2, 4]),
    (Where(after=datetime(2024, 1, 31)), [1, 2, 3]),
    (Where(before=datetime(2024, 1, 31)), [0]),
    (Where(after=datetime(2024, 1, 31), before=datetime(2024, 2, 1)), [1, 2]),
    (Where(after=datetime(2024, 1, 31), cameras=("c1",)), [1]),
    (Where(paths=("a_1.png",)), [0]),
    (Where(paths=("a?1.png",)), [0, 1]),
    (Where(paths=("*a_1.png",)), [0, 3]),
    (Where(paths=("100%.png", "it's*")), [2, 4]),
    (Where(paths=("nobody",)), []),
]


def rows() -> pa.Table:
    path, camera, time = zip(*ROWS, strict=True)
    return pa.table({"path": path, "camera": camera, "time": pa.array(time, pa.timestamp("us"))})


@pytest.mark.parametrize(("where", "positions"), ASKED)
def test_images_are_chosen(where: Where, positions: list[int]) -> None:
    assert [at for at, held in enumerate(where.mask(rows()).to_pylist()) if held] == positions
    assert bool(where) is (len(positions) < 5)
