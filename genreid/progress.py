"""How long work tells that it goes on, and keeps what it has: two small interfaces that callers implement.

The science calls them and knows nothing of bars, files or DVC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")


class Progress(Protocol):
    """Shows how far a loop is."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield `items` and show how many of `total` are done, at what rate, and the time left."""
        ...


class Checkpoints(Protocol):
    """Keeps the state of interrupted work."""

    def restore(self) -> dict[str, Any] | None:
        """The newest state kept for this very work (same settings, same inputs), or None."""
        ...

    def offer(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        """Called after every step; takes a snapshot, which is costly, only when one is due."""
        ...


class Silent:
    """Shows nothing."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        yield from items


class Forgetful:
    """Keeps nothing."""

    def restore(self) -> dict[str, Any] | None:
        return None

    def offer(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        return None


@dataclass(frozen=True)
class Report:
    """What one epoch of training has to tell.

    `figures` maps a name such as `loss/reconstruction` or `clusters` to its mean over the epoch;
    `pictures` maps a name to a uint8 RGB image (H, W, 3).
    """

    epoch: int
    num_epochs: int
    figures: Mapping[str, float]
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
