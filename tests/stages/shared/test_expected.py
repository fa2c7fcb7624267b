"""What is said of how long a stage will take, by a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from stages.shared import expected
from stages.shared.expected import FirstSteps, duration, told_by_first
from tests.clock import Clock


class Listener:
    """In the place of a tracker."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.tracked: list[tuple[str, int | None]] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def track(self, items: Iterable[Any], description: str, total: int | None = None) -> Iterator[Any]:
        self.tracked.append((description, total))
        yield from items


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(expected, "time", clock)
    return clock


def test_the_first_pieces_tell_the_whole(clock: Clock) -> None:
    """Two pieces of 10 in 20 s, which start processes; two of 10 in 8 s; 60 more are to come at that pace."""
    pieces, listener = [range(10)] * 10, Listener()
    seen = []
    for number, piece in enumerate(told_by_first(listener, pieces, 100, len, warm=2, timed=2)):  # type: ignore[arg-type]
        seen.append(piece)
        assert listener.said == (["expected: about 52 seconds"] if number >= 4 else [])
        clock.seconds += 10 if number < 2 else 4
    assert seen == pieces and clock.seconds == 20 + 8 * 4


def test_nothing_is_said_of_what_is_over_before(clock: Clock) -> None:
    listener = Listener()
    assert list(told_by_first(listener, range(3), 3, warm=2, timed=2)) == [0, 1, 2]  # type: ignore[arg-type]
    assert not listener.said


@pytest.mark.parametrize(("epochs", "said"), [(1, "50 seconds"), (3, "2 minutes")])
def test_the_first_steps_of_the_first_loop_tell_the_whole(clock: Clock, epochs: int, said: str) -> None:
    """The first of 11 steps waits 40 s for a clustering; the others take 1 s each."""
    listener = Listener()
    steps = FirstSteps(listener, epochs)  # type: ignore[arg-type]
    bar = steps.track(range(11), "training", 11)
    next(bar)
    for _ in steps.track(range(100), "embedding", 100):
        clock.seconds += 0.4
    assert not listener.said, "a loop within the first step is no step"
    for _ in range(10):
        next(bar)
        clock.seconds += 1
    assert listener.said == [f"expected: about {said}"]
    assert listener.tracked == [("training", 11), ("embedding", 100)]


def test_durations_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.9, 7.2, 90, 3000, 9000)] == [
        "1 second",
        "7 seconds",
        "2 minutes",
        "50 minutes",
        "2.5 hours",
    ]
