"""Ranges of settings, written beside the field that they bound: `lr: Positive`.

`pipeline.params` checks them while it reads params.yaml. A number without a range may be anything that is not
negative.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Interval, MultipleOf

Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Interval(ge=0, le=1)]
InnerShare = Annotated[float, Interval(gt=0, lt=1)]
Decay = Annotated[float, Interval(ge=0, lt=1)]
"""What a moving average keeps of the old."""

Count = Annotated[int, Ge(1)]
TwoOrMore = Annotated[int, Ge(2)]
BatchSize = Annotated[int, Ge(2)]
"""Batch norm needs something to compare."""
MultipleOf4 = Annotated[int, Ge(4), MultipleOf(4)]
TrainingSize = Annotated[int, Ge(16), MultipleOf(4)]
"""Pixels of a side of what the generator paints, which halves it twice."""
YawDeg = Annotated[int, Interval(ge=0, le=359)]
