"""A clock that stands still between the pieces of work that move it."""

from __future__ import annotations


class Clock:
    """Stands in for the module `time`. seconds: what has passed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds

    monotonic = perf_counter
