"""How large the benchmark is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from genreid.errors import GenreidError
from genreid.ranges import Count, Side, TwoOrMore


@dataclass(frozen=True)
class SyntheticSettings:
    """Size of the synthetic benchmark.

    Attributes:
        train_identities, val_identities, test_identities: persons of each part; no person is in two.
        num_cameras: cameras of the world, each with its own background, electronics and usual headings.
        min_images, max_images: pictures of one person, over all cameras.
        height_px, width_px: size of the pictures as they are stored.
    """

    train_identities: Count
    val_identities: int
    test_identities: Count
    num_cameras: TwoOrMore
    min_images: Annotated[int, Interval(ge=4, le=10_000)]
    max_images: int
    height_px: Annotated[int, Interval(ge=32, le=4096)]
    width_px: Side

    def __post_init__(self) -> None:
        if self.max_images < self.min_images:
            raise GenreidError(
                f"max_images is {self.max_images}: expected at least min_images, {self.min_images}; raise it"
            )
        if self.num_cameras > 99 or self.train_identities + self.val_identities + self.test_identities > 9999:
            raise GenreidError(
                "the synthetic benchmark names pictures like 0001_c2_003: expected at most 9999 identities "
                "and 99 cameras; lower synthetic.*_identities or synthetic.num_cameras"
            )
