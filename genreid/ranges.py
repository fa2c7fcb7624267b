"""What is written beside a field of settings: its range, `lr: Rate`, and where its value stands.

`pipeline.params` checks them while it reads params.yaml. Every number has two ends: the upper one is far
beyond what anybody has tried, and well below what overflows, fills the memory at once or never ends. A number
without a range is anything from 0 to a million.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Interval, MultipleOf

MOST = 1_000_000

Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
"""What NumPy's and torch's generators both take."""

Positive = Annotated[float, Interval(gt=0, le=MOST)]
Rate = Annotated[float, Interval(gt=0, le=100)]
"""A learning rate."""
Share = Annotated[float, Interval(ge=0, le=1)]
InnerShare = Annotated[float, Interval(gt=0, lt=1)]
Decay = Annotated[float, Interval(ge=0, lt=1)]
"""What a moving average keeps of the old."""

Count = Annotated[int, Interval(ge=1, le=MOST)]
TwoOrMore = Annotated[int, Interval(ge=2, le=MOST)]
BatchSize = Annotated[int, Interval(ge=2, le=65_536)]
"""Batch norm needs something to compare."""
Width = Annotated[int, Interval(ge=1, le=8192)]
"""Channels."""
Depth = Annotated[int, Interval(ge=1, le=64)]
"""Blocks, one after another."""
MultipleOf4 = Annotated[int, Interval(ge=4, le=8192), MultipleOf(4)]
TrainingSize = Annotated[int, Interval(ge=16, le=4096), MultipleOf(4)]
"""Pixels of a side of what the generator paints, which halves it twice."""
Side = Annotated[int, Interval(ge=16, le=4096)]
"""Pixels of a side."""
Padding = Annotated[int, Interval(ge=0, le=1024)]
YawDeg = Annotated[int, Interval(ge=0, le=359)]


def shared(key: str) -> Mapping[str, str]:
    """The metadata of a field that several stages have and must agree on: params.yaml has its value once, at
    the dotted `key`, and not in a stage's section."""
    return {"shared": key}
