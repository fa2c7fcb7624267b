"""Retrieval from another side: by hand, and beside the program's own ranking."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.photographs.sides import by_angle, degrees_apart, headings_of, table
from genreid.errors import GenreidError
from genreid.evaluation.ranking import rank


def part(*paths: str) -> Any:
    return SimpleNamespace(manifest=SimpleNamespace(path=list(paths)))


def test_headings_are_those_of_the_names() -> None:
    found = headings_of(part("a/0002_c1_h+090.png", "0002_c1_h-045.png"))
    assert found.tolist() == [90, -45]
    with pytest.raises(GenreidError, match=r"0002\.png: its name tells no heading"):
        headings_of(part("0002_c1_h+090.png", "a/0002.png"))


def test_angles_between_headings_go_the_short_way() -> None:
    found = degrees_apart(np.array([0, 135, -135]), np.array([0, 45, 180, -90]))
    assert found.tolist() == [[0, 45, 180, 90], [135, 90, 45, 135], [135, 180, 45, 45]]


def test_of_a_person_only_what_is_turned_so_is_listed() -> None:
    # Of the person the image from the same side comes first, then two others', then the opposite side.
    # A second query has nobody of its own.
    similarity = np.array([[0.9, 0.1, 0.5, 0.4]] * 2)
    same_person, apart = np.zeros((2, 4), bool), np.array([[0, 180, 0, 180]] * 2)
    same_person[0, :2] = True
    found = by_angle(similarity, same_person, apart)
    assert found["0°"] == (100, 100)
    assert found["180°"] == pytest.approx((100 / 3, 0))
    assert found["all"] == pytest.approx((75, 100))
    assert table({"e": found}).splitlines()[-1] == "| e | 75.0 (100.0) | 100.0 (100.0) | 33.3 (0.0) |"


def test_all_pairs_are_ranked_as_by_the_program() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    persons = rng.integers(1, 6, 60)
    queries, gallery = rows[:20], rows[20:]
    expected = rank(
        queries, persons[:20], np.zeros(20, int), gallery, persons[20:], np.ones(40, int), max_rank=1
    )
    same_person = persons[:20, None] == persons[None, 20:]
    found = by_angle(queries @ gallery.T, same_person, np.zeros((20, 40), int))
    assert found["all"] == pytest.approx((100 * expected.mean_ap, 100 * expected.cmc[0]))
    assert found["0°"] == found["all"]
