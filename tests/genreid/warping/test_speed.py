"""What a person takes before its first view, and what each view takes, by a clock that is moved by hand."""

from __future__ import annotations

import numpy as np
import pytest

from genreid import timing
from genreid.warping.speed import Turning
from tests.clock import Clock


class Turner:
    """Takes 10 s to compile, 5 s for a new person and 2 s for each view."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.known = clock, set[int]()
        self._clock_is_cold = True

    def __call__(self, index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        new = set(index.tolist()) - self.known
        self.known |= new
        self._clock.seconds += 10 * self._clock_is_cold + 5 * len(new) + 2 * len(yaw_deg)
        self._clock_is_cold = False
        return np.empty(0)


@pytest.mark.parametrize("num", [2, 5, 300])
def test_persons_and_views_are_told_apart(num: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", clock := Clock())
    index = 7 + 3 * np.arange(num)
    turner = Turner(clock)
    turning = Turning.of(turner, index)
    assert turning == Turning(5.0, 2.0) and turning.seconds(3, 4) == 3 * 5 + 4 * 2
    assert turner.known <= set(index.tolist()) and len(turner.known) == min(num, 10)


def test_one_person_alone_is_turned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", clock := Clock())
    assert Turning.of(Turner(clock), np.array([3])) == Turning(0.0, 2.0)


def test_a_time_in_which_another_program_had_the_core_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", clock := Clock())
    turner, calls = Turner(clock), []

    def disturbed(index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        calls.append(index)
        clock.seconds += 100 * (len(calls) in {2, 7})  # once among new persons, once among known ones
        return turner(index, yaw_deg)

    assert Turning.of(disturbed, np.arange(300)) == Turning(5.0, 2.0)
    assert len(calls) == 7
