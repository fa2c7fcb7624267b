from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from genreid.errors import GenreidError
from genreid.evaluation.matches import CUTS, MatchCurve, Matches, drawn_persons, match_curve


def drawn(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    person = rng.integers(-1, 12, num)
    rows = rng.normal(size=(num, 8)) + 2 * rng.normal(size=(13, 8))[person]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), person, rng.integers(0, 3, num)


@pytest.mark.parametrize("num_cameras", [1, 3])
def test_rates_are_those_of_a_loop_over_pairs(num_cameras: int) -> None:
    rows, person, camera = drawn(700)  # more than one block
    camera %= num_cameras
    same: list[float] = []
    different: list[float] = []
    for i, j in combinations(range(len(rows)), 2):
        if min(person[i], person[j]) >= 0 and (num_cameras == 1 or camera[i] != camera[j]):
            (same if person[i] == person[j] else different).append(np.dot(rows[i], rows[j]))
    curve = match_curve(rows, person, camera, "identities", seed=1)
    assert curve is not None
    assert (curve.num_same, curve.num_different) == (len(same), len(different))
    for at in (120, 200, 333, 380):
        # a similarity that is a cut but for rounding may fall on either side
        assert curve.false_match_rate[at] == pytest.approx(np.mean(np.array(different) >= CUTS[at]), abs=1e-4)
        assert curve.miss_rate[at] == pytest.approx(np.mean(np.array(same) < CUTS[at]), abs=2e-3)


def by_hand() -> MatchCurve:
    """Similarities of one person 0.9, 0.6 and 0.5, of two 0.7, 0.1, 0.1 and −0.3."""
    false = [np.mean(np.array([0.7, 0.1, 0.1, -0.3]) >= cut - 1e-9) for cut in CUTS]
    missed = [np.mean(np.array([0.9, 0.6, 0.5]) < cut - 1e-9) for cut in CUTS]
    return MatchCurve("identities", 3, 4, tuple(map(float, false)), tuple(map(float, missed)))


@pytest.mark.parametrize(
    ("similarity", "rate"),
    [(0.95, 0.0), (0.7026, 0.25), (0.5, 0.25), (0.0, 0.75), (-1.2, 1.0), (1.0001, 0.0)],
)
def test_false_matches_at_a_similarity(similarity: float, rate: float) -> None:
    """Between two cuts it is that of the lower one."""
    assert by_hand().false_matches_at(similarity) == rate


def test_the_cut_of_a_false_match_rate() -> None:
    curve = by_hand()
    assert curve.cut_at(0.25) == pytest.approx(0.105)
    assert curve.misses_at(0.25) == 0.0
    assert curve.cut_at(0.74) == pytest.approx(0.105)
    assert curve.cut_at(0.75) == pytest.approx(-0.295)
    assert curve.equal_error_rate == pytest.approx((1 / 4 + 1 / 3) / 2)  # from 0.505 to 0.6
    with pytest.raises(GenreidError, match=r"rate of 0.2 cannot be told by 4 pairs .*: take 0.2 or more"):
        curve.cut_at(0.2)


def test_where_no_pair_of_one_kind_is_there_is_no_curve() -> None:
    rows, _, camera = drawn(20)
    assert match_curve(rows, np.arange(20), camera, "identities", seed=1) is None
    assert match_curve(rows, np.zeros(20, int), camera, "identities", seed=1) is None
    assert match_curve(rows, np.full(20, -1), camera, "identities", seed=1) is None
    assert match_curve(rows, np.arange(20) // 2, np.arange(20) // 2, "identities", seed=1) is None


def test_whole_persons_are_drawn() -> None:
    person = np.random.default_rng(2).integers(-1, 40, 500)
    kept = drawn_persons(person, 200, seed=3)
    assert 150 < len(kept) <= 200 and (np.diff(kept) > 0).all()
    for number in np.unique(person[kept]):
        assert number >= 0 and set(np.flatnonzero(person == number)) <= set(kept)
    assert not np.array_equal(kept, drawn_persons(person, 200, seed=4))
    assert np.array_equal(drawn_persons(person, 500, seed=3), np.flatnonzero(person >= 0))


def test_plain_and_back() -> None:
    curve = by_hand()
    assert MatchCurve.from_plain(curve.as_plain(), "a.pt", "train it again") == curve


@pytest.mark.parametrize(
    "change",
    [
        {"miss_rate": [0.0] * 400},
        {"miss_rate": [1.0] + [0.0] * 400},
        {"false_match_rate": [float("nan")] * 401},
        {"false_match_rate": [2.0] + [0.0] * 400},
        {"false_match_rate": ["x"] * 401},
        {"false_match_rate": None},
        {"more": 1},
    ],
)
def test_a_damaged_curve_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(GenreidError, match=r"a.pt: its curve of matches is damaged; train it again"):
        MatchCurve.from_plain(by_hand().as_plain() | change, "a.pt", "train it again")


def alike(same: list[float], different: list[float]) -> MatchCurve:
    false = [np.mean(np.array(different) >= cut - 1e-9) for cut in CUTS]
    missed = [np.mean(np.array(same) < cut - 1e-9) for cut in CUTS]
    return MatchCurve("identities", len(same), len(different), tuple(false), tuple(missed))


def test_how_far_the_promise_of_training_is_off() -> None:
    """2,000 pairs of two persons lie evenly below 0.8, and as training believes below 0.6."""
    measured = alike([0.9, 0.7, 0.5, 0.3], list(np.linspace(-0.2, 0.8, 2000)))
    believed = alike([0.9], list(np.linspace(-0.4, 0.6, 2000)))
    found = Matches({"image": measured}, {"image": believed})
    assert believed.cut_at(1e-3) == pytest.approx(0.6)
    figures = found.figures()
    assert figures["found_at_1_in_1000"] == pytest.approx(20, abs=0.1)
    assert figures["misses_at_1_in_1000"] == 75
    assert figures["equal_error_rate"] == pytest.approx((30 + 25) / 2)  # at 0.5
    det = found.det()
    assert [point["log10_false_match_rate"] for point in det] == [-power / 4 for power in range(13, -1, -1)]
    assert det[0] == {"log10_false_match_rate": -3.25, "measured": 75.0, "estimated": 0.0}
    assert det[-1] == {"log10_false_match_rate": 0.0, "measured": 0.0, "estimated": 0.0}


def test_few_pairs_tell_no_rate_of_one_in_a_thousand() -> None:
    few = alike([0.9, 0.7], [0.1, 0.2])
    assert list(Matches({"image": few}, {"image": few}).figures()) == ["equal_error_rate"]
    assert Matches({}, {"image": few}).figures() == {} and Matches({"image": few}, {}).det() == []
