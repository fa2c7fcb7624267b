"""How pictures are changed and looked at: settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.ranges import Padding, Share

WayName = Literal["image", "mirror", "copies", "turned"]
"""image: itself; mirror: and its mirror image; copies: and seven copies, not turned; turned: and the person
from other sides, before the image's own background."""


@dataclass(frozen=True)
class AugmentationSettings:
    """The field's ordinary augmentation (docs/method.md, Encoder warm-up): flip, pad-and-crop, erasing."""

    flip: Share
    """Probability of the mirror image."""
    pad_px: Padding
    """Zeros added on every side before a random crop of the old size [px]."""
    erase: Share
    """Probability that a rectangle is erased. Of 2 to 40 % of the area, aspect 0.3 to 3.3, set to the mean
    colour."""
    colour: float
    """How far each channel's gain and offset stray. Gain 1 ± colour, offset ± colour standard deviations, as
    cameras do."""
