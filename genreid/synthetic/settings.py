"""How large the benchmark is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from genreid.errors import GenreidError
from genreid.ranges import Count, Side, TwoOrMore


@dataclass(frozen=True)
class SyntheticSettings:
    """Size of the synthetic benchmark. No person is in two of its parts."""

    train_identities: Count
    """Persons to train on [persons]."""
    val_identities: int
    """Persons to make choices on [persons]."""
    test_identities: Count
    """Persons to evaluate on [persons]."""
    num_cameras: TwoOrMore
    """Cameras of the world [cameras]. Each has its own background, electronics and usual headings."""
    min_images: Annotated[int, Interval(ge=4, le=10_000)]
    """Least pictures of one person, over all cameras [images]."""
    max_images: int
    """Most pictures of one person, over all cameras [images]. At least min_images."""
    height_px: Annotated[int, Interval(ge=32, le=4096)]
    """Height of the pictures as they are stored [px]."""
    width_px: Side
    """Width of the pictures as they are stored [px]."""

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
