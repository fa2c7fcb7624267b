"""BlazePose as a mesh estimator: photographs to bodies, with no file that needs a licence. B images.

A crop and its mirror image are looked at; front or back is settled; a body is fitted to the mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from genreid.body.body import Body
from genreid.mesh.blazepose.facing import RULES, settled
from genreid.mesh.blazepose.fit import BodyFitter
from genreid.mesh.blazepose.girth import Girth
from genreid.mesh.blazepose.landmarks import LANDMARK_NAMES, Landmarks, numbers
from genreid.mesh.blazepose.network import available_runner, open_network, sigmoid
from genreid.mesh.blazepose.squares import Square
from genreid.mesh.settings import BlazePoseSettings
from genreid.mesh.shards import MeshEstimates, encode_mask
from genreid.mesh.skeleton import Skeleton

SMALLEST_SIDE_PX = 8
_FIT_BATCH = 64
_FIRST_OF_BODY = LANDMARK_NAMES.index("left_shoulder")


class LandmarkNetwork(Protocol):
    """See `PoseNetwork`."""

    def look(self, square: np.ndarray) -> Landmarks: ...


class BlazePoseEstimator:
    """BlazePose and the fit as a `MeshEstimator`.

    The score is how sure the landmarks are: the mean, over the 22 of them below the head, of the highest
    chance that the network's heat map gives the landmark anywhere, in image and mirror image.

    `failed`: a side is under `SMALLEST_SIDE_PX`, the picture is of one colour throughout, or an answer is not
    finite. `no_person`: the score is below the least one, or the hips are above the shoulders.
    """

    name = "blazepose"

    def __init__(self, settings: BlazePoseSettings, network: LandmarkNetwork, body: Body) -> None:
        self._settings, self._network = settings, network
        self._fitter = BodyFitter(Skeleton.of(body))
        self._girth = Girth(body)

    @classmethod
    def open(cls, settings: BlazePoseSettings, model: Path, body: Body) -> BlazePoseEstimator:
        """With the network of a model file. Raises GenreidError where it cannot be run."""
        return cls(settings, open_network(model, available_runner()), body)

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        """See `MeshEstimator`."""
        result = MeshEstimates.without_mesh(["failed"] * len(images))
        usable = [i for i, image in enumerate(images) if is_usable(image)]
        for start in range(0, len(usable), _FIT_BATCH):
            index = np.array(usable[start : start + _FIT_BATCH], np.int64)
            result = result.fill(index, self._estimate([images[i] for i in index]))
        return result

    def _estimate(self, images: list[np.ndarray]) -> MeshEstimates:
        """The bodies in one batch of usable images."""
        squares = [Square.around(*image.shape[:2]) for image in images]
        landmarks = self._look([square.cut(image) for square, image in zip(squares, images, strict=True)])
        score = score_of(landmarks)
        found = (score >= self._settings.least_score) & is_upright(landmarks)
        whole = np.isfinite(score) & _is_finite(landmarks)
        result = MeshEstimates.without_mesh(["no_person" if good else "failed" for good in whole])
        rows = np.flatnonzero(found & whole)
        if not len(rows):
            return result
        return result.fill(
            rows, self._bodies(landmarks.select(rows), score[rows], [squares[i] for i in rows])
        )

    def _look(self, pictures: list[np.ndarray]) -> Landmarks:
        """The settled landmarks of square pictures."""
        first = Landmarks.joined([self._network.look(picture) for picture in pictures])
        mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
        second = Landmarks.joined([self._network.look(picture) for picture in mirrored]).mirrored()
        return settled(first, second, RULES[self._settings.size])

    def _bodies(self, landmarks: Landmarks, score: np.ndarray, squares: list[Square]) -> MeshEstimates:
        fitted = self._fitter.fit(
            torch.from_numpy(landmarks.image),
            torch.from_numpy(landmarks.world),
            torch.from_numpy(landmarks.visibility),
        )
        where = torch.cat([fitted.scale_px[:, None], fitted.pelvis_px], dim=1).double().tolist()
        camera = torch.tensor([square.camera(*one) for square, one in zip(squares, where, strict=True)])
        levels = np.round(landmarks.mask * 255).astype(np.uint8)
        masks = [square.mask(level) for square, level in zip(squares, levels, strict=True)]
        parameters = fitted.parameters
        answers = parameters.global_orient, parameters.body_pose, parameters.betas, camera
        good = torch.stack([torch.isfinite(part).all(dim=1) for part in answers]).all(dim=0).numpy()
        found = MeshEstimates(["ok"] * len(score), score, parameters, camera, [encode_mask(m) for m in masks])
        nothing = MeshEstimates.without_mesh(["failed"] * len(score))
        own = [mask for mask, whole in zip(masks, good, strict=True) if whole]
        return nothing.fill(np.flatnonzero(good), self._girth.corrected(found.select(good), own))


def score_of(landmarks: Landmarks) -> np.ndarray:
    """(B,) float32 in [0, 1]; see `BlazePoseEstimator`."""
    return sigmoid(landmarks.peak[:, _FIRST_OF_BODY:]).mean(1)


def is_upright(landmarks: Landmarks) -> np.ndarray:
    """(B,) bool: the shoulders are above the hips."""
    shoulders = landmarks.image[:, numbers("left_shoulder", "right_shoulder"), 1].mean(1)
    hips = landmarks.image[:, numbers("left_hip", "right_hip"), 1].mean(1)
    upright = np.asarray(shoulders < hips)
    return upright


def is_usable(image: np.ndarray) -> bool:
    """Whether there is anything to look at."""
    return min(image.shape[:2]) >= SMALLEST_SIDE_PX and bool((image != image[0, 0]).any())


def _is_finite(landmarks: Landmarks) -> np.ndarray:
    """(B,) bool: all that the fit takes, and the mask, are numbers."""
    parts = (landmarks.image, landmarks.world, landmarks.visibility, landmarks.mask)
    return np.array(
        [all(bool(np.isfinite(part[row]).all()) for part in parts) for row in range(len(landmarks))]
    )
