"""Cameras and persons read off the names that people give their crops."""

from __future__ import annotations

import re

import pytest

from genreid.data.datasets.schemes import SCHEMES, scheme_of


@pytest.mark.parametrize(
    ("path", "person", "camera"),
    [
        ("0002_c1s1_000451_03.jpg", "0002", "1"),
        ("train/-1_c3s2_000451_03.jpg.jpg", "-1", "3"),
        ("a/b/0005_c2_f0046985.jpg", "0005", "2"),
        ("0000/0007_000_01_0303morning_0008_0.jpg", "0007", "01"),
        ("0003_c10_21.png", "0003", "10"),
        ("Camera 12/0001.jpg", None, "12"),
        ("day1/cam3/0001/x.jpg", None, "3"),
        ("hall_cam2_0001.jpg", None, "2"),
        ("p12_c3_0001.jpg", None, "3"),
    ],
)
def test_a_name_is_read_as_people_mean_it(path: str, person: str | None, camera: str) -> None:
    reading = scheme_of([path])
    assert reading is not None
    match = re.fullmatch(reading.scheme.pattern, path)
    assert match is not None and match["camera"] == camera
    assert match.groupdict().get("person") == person


@pytest.mark.parametrize(
    "path", ["0001.jpg", "anna/0001.jpg", "3/0001.jpg", "campus/0001.jpg", "music_0001.jpg", "abc3_1.jpg"]
)
def test_nothing_is_read_off_a_name_that_may_mean_anything(path: str) -> None:
    assert scheme_of([path, path]) is None


def test_every_scheme_reads_its_example_and_says_nothing_of_splits() -> None:
    for scheme in SCHEMES:
        match = re.fullmatch(scheme.pattern, scheme.example)
        assert match is not None and set(match.groupdict()) <= {"camera", "person"}


def test_nine_of_ten_names_have_to_follow_a_scheme() -> None:
    follow = [
        f"{person:04}_c{camera}_{n}.png" for person in (1, 2, 3) for camera in (1, 2) for n in (1, 2, 3)
    ]
    reading = scheme_of([*follow, "stray.png", "other.png"])
    assert reading is not None and (reading.fits, reading.cameras, reading.persons) == (18, 2, 3)
    assert scheme_of([*follow, *(f"stray {n}.png" for n in range(3))]) is None
    assert scheme_of([]) is None


def test_a_number_that_every_crop_has_of_its_own_is_no_person() -> None:
    reading = scheme_of([f"{frame:06}_c{frame % 2 + 1}_1.png" for frame in range(40)])
    assert reading is not None and (reading.cameras, reading.persons) == (2, 0)
    assert "person" not in re.compile(reading.scheme.pattern).groupindex
