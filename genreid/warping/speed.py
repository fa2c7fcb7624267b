"""How fast persons are turned by warping on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from genreid.timing import seconds_of

_NUM_TIMED = 9
_NUM_TIMES = 3
_FIRST_DEG, _SECOND_DEG = 90, 180


@dataclass(frozen=True)
class Turning:
    """Seconds: `person`, before its first view (its texture, the image without it), and for each `view`."""

    person: float
    view: float

    @classmethod
    def of(cls, turned: Callable[[np.ndarray, np.ndarray], np.ndarray], index: np.ndarray) -> Turning:
        """Time `turned`, which turns images at positions (B,) by angles (B,), on some of those at `index`.

        index: one or more positions that it has not turned yet. It keeps the persons for later."""
        some = index[np.unique(np.linspace(0, len(index) - 1, _NUM_TIMED + 1).astype(np.int64))]
        turned(some[:1], np.array([_FIRST_DEG]))  # the first time compiles
        timed = some[1:] if len(some) > 1 else some
        groups = np.array_split(timed, min(_NUM_TIMES, len(timed)))

        def least(yaw_deg: int) -> float:
            """Seconds a person: other programs only ever add to it, so the least of several groups."""
            return min(
                seconds_of(partial(turned, group, np.full(len(group), yaw_deg))) / len(group)
                for group in groups
            )

        first, second = least(_FIRST_DEG), least(_SECOND_DEG)
        return cls(max(first - second, 0.0), second)

    def seconds(self, num_persons: int, num_views: int) -> float:
        return num_persons * self.person + num_views * self.view
