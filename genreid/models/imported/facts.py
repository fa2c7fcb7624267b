"""What a file of weights does not say of its encoder: each layout has its own defaults for it.

Read and checked without torch, as settings are: a file beside the weights may say otherwise. `None` stands
for what the file itself, or timm, knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

from genreid.errors import GenreidError
from genreid.ranges import Count, Side

Level = Annotated[float, Interval(ge=0, le=1)]
Spread = Annotated[float, Interval(gt=0, le=1)]
Levels = tuple[Level, Level, Level]
Spreads = tuple[Spread, Spread, Spread]

IMAGENET: tuple[Levels, Spreads] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF: tuple[Levels, Spreads] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
"""Mean and deviation of pixels from 0 to 1; RGB."""


@dataclass(frozen=True)
class NetworkFacts:
    """height_px, width_px: the size of pictures that the network takes. mean, std: of pixels from 0 to 1,
    taken off and divided by, RGB.
    """

    height_px: Side
    width_px: Side
    mean: Levels
    std: Spreads


@dataclass(frozen=True)
class ResnetFacts(NetworkFacts):
    """last_stride: of the last stage, where the program has a setting for it."""

    last_stride: Literal[1, 2]


@dataclass(frozen=True)
class TransformerFacts:
    """height_px, width_px, stride_px: size of pictures, and pixels from one patch to the next; None: those
    that the number of position embeddings tells. Other ones have the embeddings resized. feature: the
    embedding is what comes before the batch-norm neck, or after it. num_heads: None for one for every 64
    channels. leave_out_cameras: take a file with embeddings of its own cameras, and do without them.
    """

    height_px: Side | None
    width_px: Side | None
    stride_px: Count | None
    mean: Levels
    std: Spreads
    feature: Literal["before", "after"]
    num_heads: Count | None
    leave_out_cameras: bool

    def __post_init__(self) -> None:
        _require_both(self.height_px, self.width_px)


@dataclass(frozen=True)
class TimmFacts:
    """architecture: timm's name of the network. None for the others: those of timm's own weights of it."""

    architecture: str
    height_px: Side | None
    width_px: Side | None
    mean: Levels | None
    std: Spreads | None

    def __post_init__(self) -> None:
        _require_both(self.height_px, self.width_px)


Facts = NetworkFacts | ResnetFacts | TransformerFacts | TimmFacts


def _require_both(height_px: int | None, width_px: int | None) -> None:
    if (height_px is None) != (width_px is None):
        raise GenreidError("height_px and width_px go together: give both, or neither")
