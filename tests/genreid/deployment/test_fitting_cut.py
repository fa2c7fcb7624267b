"""The share of pairs that are of one person, and the cut that follows, against persons that are known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from genreid.deployment.fitting_cut import fitting_cut, fitting_rate, likely_persons, same_share
from genreid.evaluation.matches import MOST_IMAGES, MatchCurve, match_curve

SPREAD = 0.9


def images(num: int, each: int, seed: int, cameras: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit rows (N, 24) of new persons, whom nothing but the spread of their images joins to others."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(num), each)
    rows = rng.normal(size=(num, 24))[person] + SPREAD * rng.normal(size=(len(person), 24))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), person, rng.integers(cameras, size=len(person))


@pytest.fixture(scope="module")
def curve() -> MatchCurve:
    found = match_curve(*images(60, 8, seed=1), "identities", seed=1)
    assert found is not None and 0.005 < found.equal_error_rate < 0.2, "neither kind is told by a cut alone"
    return found


@pytest.mark.parametrize(("num", "each"), [(300, 2), (100, 5), (20, 25)])
def test_the_share_is_that_of_the_persons(curve: MatchCurve, num: int, each: int) -> None:
    rows, person, camera = images(num, each, seed=2)
    same = np.array([person[i] == person[j] for i, j in combinations(range(len(person)), 2)])
    two = np.array([camera[i] != camera[j] for i, j in combinations(range(len(person)), 2)])
    assert same_share(rows, camera, curve, seed=1) == pytest.approx(same[two].mean(), rel=0.25)
    assert same_share(rows, None, curve, seed=1) == pytest.approx(same.mean(), rel=0.25)


def test_nobody_twice_is_next_to_no_share(curve: MatchCurve) -> None:
    rows, _, camera = images(500, 1, seed=3)
    assert same_share(rows, camera, curve, seed=1) < 3e-4


def test_pairs_of_one_camera_do_not_count(curve: MatchCurve) -> None:
    """Everybody is twice in one camera, and in no other: across cameras nobody is met again."""
    rows, person, _ = images(200, 2, seed=4)
    assert same_share(rows, person % 5, curve, seed=1) < 0.2 * same_share(rows, None, curve, seed=1)
    assert same_share(rows, np.zeros(len(rows), int), curve, seed=1) == same_share(rows, None, curve, seed=1)


def test_of_many_images_some_are_drawn(curve: MatchCurve) -> None:
    rows, _, _ = images(10, 50, seed=5)
    many = np.tile(rows, (10, 1))
    assert len(many) > MOST_IMAGES
    drawn = same_share(many, None, curve, seed=1)
    assert drawn == pytest.approx(0.1, rel=0.25) and drawn == same_share(many, None, curve, seed=1)


def test_an_image_alone_has_no_pair(curve: MatchCurve) -> None:
    rows, _, camera = images(1, 1, seed=6)
    assert same_share(rows, camera, curve, seed=1) == 0
    assert fitting_cut(rows, camera, curve, seed=1) == curve.cut_at(1 / curve.num_different)


def test_the_rate_by_hand() -> None:
    """0.12 false pairs to a pair of one person; above two fellows in the mean, as many times as there are."""
    assert fitting_rate(0.01, 101) == pytest.approx(0.0012), "one fellow"
    assert fitting_rate(0.01, 201) == pytest.approx(0.0012), "two"
    assert fitting_rate(0.01, 801) == pytest.approx(0.0048), "eight"


def test_few_images_of_each_get_a_higher_cut(curve: MatchCurve) -> None:
    few, many = (images(num, each, seed=7) for num, each in ((250, 2), (50, 10)))
    cuts = [fitting_cut(rows, camera, curve, seed=1) for rows, _, camera in (few, many)]
    assert cuts[0] > cuts[1] + 0.05


@pytest.mark.parametrize(
    ("groups", "images", "expected"),
    [(68, 496, (34, 136)), (7, 500, (4, 14)), (15, 20, (8, 20)), (1, 1, (1, 1))],
)
def test_likely_persons_are_half_to_twice_the_groups_and_no_more_than_images(
    groups: int, images: int, expected: tuple[int, int]
) -> None:
    assert likely_persons(groups, images) == expected
