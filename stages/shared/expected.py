"""How long a stage will take, said before it begins, or as soon as its first pieces or steps tell.

Nothing that only one stage needs is imported here, or the others would run again where that has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pipeline.tracking import Tracker

T = TypeVar("T")
_WARM_STEPS, _TIMED_STEPS = 1, 8


def tell(tracker: Tracker, seconds: float) -> None:
    tracker.say(f"expected: about {duration(seconds)}")


def duration(seconds: float) -> str:
    """As people say it: `40 seconds`, `12 minutes`, `2.5 hours`."""
    if seconds < 90:
        return "1 second" if seconds < 1.5 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def told_by_first(
    tracker: Tracker,
    items: Iterable[T],
    total: int,
    size: Callable[[T], int] = lambda item: 1,
    *,
    warm: int,
    timed: int,
    times: int = 1,
) -> Iterator[T]:
    """`items`, and how long all will take as the first ones go; nothing where there are not so many.

    size: what an item counts of `total`. The first `warm` ones start processes and compile, so the next
    `timed` ones tell the pace. times: how often the work is done that comes before the first ones.
    """
    started, done, warmed = time.monotonic(), 0, (0.0, 0)
    for number, item in enumerate(items, start=1):
        yield item
        done += size(item)
        if number == warm:
            warmed = time.monotonic() - started, done
        elif number == warm + timed:
            warm_seconds, first = warmed
            pace = (time.monotonic() - started - warm_seconds) / (done - first)
            tell(tracker, times * warm_seconds + (total - first) * pace)


class FirstSteps:
    """Shows progress as `tracker` does; the first steps of the loop that it shows first tell the whole.

    epochs: how often the work comes again that is done before a first step.
    """

    def __init__(self, tracker: Tracker, epochs: int = 1) -> None:
        self._tracker, self._epochs, self._told = tracker, epochs, False

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        if total is not None and not self._told:
            self._told = True
            items = told_by_first(
                self._tracker, items, total, warm=_WARM_STEPS, timed=_TIMED_STEPS, times=self._epochs
            )
        return self._tracker.track(items, description, total)
