"""BlazePose GHUM's landmarks (Grishchenko et al. 2022, arXiv 2206.11678), and those of a mirrored crop.

B images. The frame is our camera's: x right, y down, z away from the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

LANDMARK_NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "left_mouth", "right_mouth", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "left_heel", "right_heel", "left_toes", "right_toes",
)  # fmt: skip
NUM_LANDMARKS = len(LANDMARK_NAMES)


def _other_side(name: str) -> str:
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if name.startswith(side):
            return other + name.removeprefix(side)
    return name


OTHER_SIDE = [LANDMARK_NAMES.index(_other_side(name)) for name in LANDMARK_NAMES]
"""Each landmark's place on the other half of the body."""


@dataclass(frozen=True)
class Landmarks:
    """What the network says of B square pictures of S×S pixels.

    image (B, 33, 2): pixels of the square. world (B, 33, 3): metres, the middle of the hips near 0.
    visibility (B, 33): chance that nothing hides it. peak (B, 33): the highest value of its heat map, a
    logit: unlike visibility it is low where the network guesses. presence (B,): chance that somebody is
    there. mask (B, S, S): chance of a pixel's being the person's. All float32.
    """

    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    peak: np.ndarray
    presence: np.ndarray
    mask: np.ndarray

    def __len__(self) -> int:
        return len(self.presence)

    @classmethod
    def joined(cls, parts: Sequence[Landmarks]) -> Landmarks:
        """The pictures of all parts, in order."""
        return cls(
            *(np.concatenate(arrays) for arrays in zip(*(_arrays(part) for part in parts), strict=True))
        )

    def select(self, index: np.ndarray) -> Landmarks:
        """The pictures at `index`, positions or a mask, in its order."""
        return Landmarks(*(array[index] for array in _arrays(self)))

    def mirrored(self) -> Landmarks:
        """What an even-handed network would say of the mirror images."""
        other = self._with_sides_swapped()
        image, world = other.image.copy(), other.world.copy()
        image[..., 0] = self.mask.shape[2] - image[..., 0]
        world[..., 0] *= -1
        return replace(other, image=image, world=world, mask=self.mask[:, :, ::-1])

    def turned_about(self, which: np.ndarray) -> Landmarks:
        """With the pictures `which` (B,) bool taken for somebody who looks the same and faces the other way:
        left for right, near for far.
        """
        other = self._with_sides_swapped()
        turned = replace(other, world=other.world * np.array([1, 1, -1], np.float32))
        return Landmarks(
            *(
                np.where(which.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)
                for mine, theirs in zip(_arrays(self), _arrays(turned), strict=True)
            )
        )

    def mean_with(self, other: Landmarks) -> Landmarks:
        """Landmark by landmark, and pixel by pixel of the masks."""
        pairs = zip(_arrays(self), _arrays(other), strict=True)
        return Landmarks(*((mine + theirs) / np.float32(2) for mine, theirs in pairs))

    def _with_sides_swapped(self) -> Landmarks:
        return replace(
            self,
            image=self.image[:, OTHER_SIDE],
            world=self.world[:, OTHER_SIDE],
            visibility=self.visibility[:, OTHER_SIDE],
            peak=self.peak[:, OTHER_SIDE],
        )


def numbers(*names: str) -> list[int]:
    """Places of landmarks in `LANDMARK_NAMES`."""
    return [LANDMARK_NAMES.index(name) for name in names]


def _arrays(landmarks: Landmarks) -> tuple[np.ndarray, ...]:
    return tuple(getattr(landmarks, field.name) for field in fields(landmarks))
