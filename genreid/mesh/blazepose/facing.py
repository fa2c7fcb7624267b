"""Whether a person shows the front or the back, and the landmarks of both passes once that is settled.

Where the network guesses it takes backs for fronts, never the other way round, and its own visibilities do
not tell: it calls the face visible there too. What tells are the heat maps of the face, which stay cold on
the back of a head, and the image's and the mirror image's disagreement. B images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.mesh.blazepose.landmarks import LANDMARK_NAMES, Landmarks, numbers
from genreid.mesh.settings import PoseSize

_LEFT = numbers("left_shoulder", "left_hip")
_RIGHT = numbers("right_shoulder", "right_hip")
_FACE = [LANDMARK_NAMES.index(name) for name in LANDMARK_NAMES[: LANDMARK_NAMES.index("left_shoulder")]]
_LEAST_TURN = 0.5
"""Persons within 30 degrees of the profile stay as they are: to turn them about gains little, and takes the
left leg for the right one.
"""


@dataclass(frozen=True)
class BackRule:
    """Logit of a back: constant + face · (mean peak of the face's heat maps) + front · (mean `frontness`).

    Logistic regression on the drawn training persons of the benchmark and on photographs of known heading
    (the persons with odd numbers), an image's weight being its true frontness squared.
    """

    constant: float
    face: float
    front: float

    def is_back(self, first: Landmarks, second: Landmarks) -> np.ndarray:
        """(B,) bool, of what the network says of images and, mirrored back, of their mirror images."""
        face = (first.peak[:, _FACE].mean(1) + second.peak[:, _FACE].mean(1)) / 2
        front = (frontness(first) + frontness(second)) / 2
        back: np.ndarray = self.constant + self.face * face + self.front * front > 0
        return back


RULES: dict[PoseSize, BackRule] = {
    "lite": BackRule(2.30, -2.02, -1.75),
    "full": BackRule(4.17, -1.99, -3.37),
    "heavy": BackRule(4.63, -2.08, -3.67),
}


def frontness(landmarks: Landmarks) -> np.ndarray:
    """(B,) cosine of the heading that shoulders and hips show: 1 towards the camera, −1 away from it."""
    left = (landmarks.world[:, _LEFT] - landmarks.world[:, _RIGHT]).sum(1)
    length = np.hypot(left[:, 0], left[:, 2])
    return left[:, 0] / np.maximum(length, 1e-6)


def settled(first: Landmarks, second: Landmarks, rule: BackRule) -> Landmarks:
    """The mean of both passes, each turned about where it takes the back for the front or the front for the
    back.

    first, second: as in `BackRule.is_back`.
    """
    back = rule.is_back(first, second)
    sides = []
    for landmarks in (first, second):
        front = frontness(landmarks)
        wrong = ((front > 0) == back) & (np.abs(front) > _LEAST_TURN)
        sides.append(landmarks.turned_about(wrong))
    return sides[0].mean_with(sides[1])
