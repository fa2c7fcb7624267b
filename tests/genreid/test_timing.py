"""The least of several times, by a clock that is moved by hand."""

from __future__ import annotations

import pytest

from genreid import timing
from tests.clock import Clock


def test_the_least_of_several_times_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "time", clock := Clock())
    left = [20.0, 2.0, 7.0]

    def work() -> None:
        clock.seconds += left.pop(0)

    assert timing.least_seconds_of(work) == 2.0 and not left
