"""The ways of looking at an image whose embedding is the mean over its pictures: what these pictures are.

Beyond the paper, which embeds the image alone. Shapes: B batch, H×W the training size; pictures are uint8
RGB (B,H,W,3). A picture depends on its image alone, never on its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import cv2
import numpy as np
import torch

from genreid.data.settings import WayName
from genreid.data.transforms import normalise
from genreid.seeding import numpy_rng

NUM_COPIES = 7
"""As many as turned views, so that the two can be compared."""
_SCALE, _SHIFT = 0.08, 0.04
"""How far a copy's size strays, and its place as a share of height and width: as a detector's boxes do."""

Look = Callable[[np.ndarray], torch.Tensor]
"""Positions (B,) → normalised pixels (B,3,H,W), channels last."""
Turned = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Positions (B,) and angles in degrees (B,) → pictures; the image itself where it has no body."""


class Pictures(Protocol):
    """Images at the training size, such as an `ImageSet`."""

    image_id: list[str]

    def load(self, index: np.ndarray) -> np.ndarray:
        """The images at positions (B,)."""
        ...


def looks(
    way: WayName, images: Pictures, turned: Turned | None = None, yaws_deg: Sequence[float] = ()
) -> list[Look]:
    """The pictures of each image that `way` takes the mean over, the image itself first.

    turned, yaws_deg: for the way of that name; the angles without 0.
    """
    made: list[Callable[[np.ndarray], np.ndarray]] = [images.load]
    match way:
        case "mirror":
            made.append(lambda index: mirrored(images.load(index)))
        case "copies":
            made += [partial(_copies, images, number) for number in range(1, NUM_COPIES + 1)]
        case "turned":
            assert turned is not None and 0 not in yaws_deg
            made += [partial(_turned, turned, yaw_deg) for yaw_deg in yaws_deg]
    return [partial(_normalised, make) for make in made]


def where_possible(turned: Turned, images: Pictures, has_body: np.ndarray) -> Turned:
    """`turned` of the images that have a body (N,) bool; of the others the images themselves."""

    def pictures(index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        made, there = images.load(index).copy(), has_body[index]
        if there.any():
            made[there] = turned(index[there], yaw_deg[there])
        return made

    return pictures


def mirrored(pictures: np.ndarray) -> np.ndarray:
    """Left for right."""
    return pictures[:, :, ::-1]


def copied(picture: np.ndarray, image_id: str, number: int) -> np.ndarray:
    """A copy of one picture (H,W,3): its size and its place stray, and every odd one is mirrored.

    image_id, number: which copy of which image it is; the same two always make the same copy. What lies
    beyond the picture is its edge, carried on.
    """
    rng = numpy_rng(0, "copy", image_id, number)
    scale = 1 + rng.uniform(-_SCALE, _SCALE)
    height, width = picture.shape[:2]
    down, right = rng.uniform(-_SHIFT, _SHIFT, 2) * (height, width)
    # About the middle of the picture, whose pixels have their centres at whole numbers.
    middle = (width - 1) / 2, (height - 1) / 2
    across = -scale if number % 2 else scale
    to_copy = np.array(
        [
            [across, 0, middle[0] * (1 - across) + right],
            [0, scale, middle[1] * (1 - scale) + down],
        ]
    )
    return cv2.warpAffine(
        picture, to_copy, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _normalised(make: Callable[[np.ndarray], np.ndarray], index: np.ndarray) -> torch.Tensor:
    return normalise(make(index))


def _copies(images: Pictures, number: int, index: np.ndarray) -> np.ndarray:
    pictures = zip(index, images.load(index), strict=True)
    return np.stack([copied(picture, images.image_id[position], number) for position, picture in pictures])


def _turned(turned: Turned, yaw_deg: float, index: np.ndarray) -> np.ndarray:
    return turned(index, np.full(len(index), yaw_deg))
