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
    """The field's ordinary augmentation (docs/method.md, Encoder warm-up): flip, pad-and-crop, erasing.

    flip: probability; pad_px: zeros added on every side before a random crop of the old size; erase:
    probability that a rectangle of 2 to 40 % of the area, aspect 0.3 to 3.3, is set to the mean colour.
    colour: how far each channel's gain (1 ± colour) and offset (± colour, in standard deviations) stray, as
    cameras do; 0 is the published recipe, which starts from ImageNet weights.
    """

    flip: Share
    pad_px: Padding
    erase: Share
    colour: float
