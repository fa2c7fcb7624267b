"""A body in SMPL's layout that stands as the landmarks say. B bodies.

In the manner of SMPLify (Bogo et al. 2016, arXiv 1607.08128): Adam on the rotations and the shape, here with
landmarks in 3D beside those in the image, the camera in closed form, and a skeleton instead of a skin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.body.layout import JOINT_NAMES, NUM_BETAS, NUM_JOINTS
from genreid.body.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    rotation_6d_to_matrix,
)
from genreid.mesh.blazepose.landmarks import LANDMARK_NAMES, numbers
from genreid.mesh.blazepose.points import landmark_points
from genreid.mesh.blazepose.prior import PosePrior
from genreid.mesh.skeleton import Skeleton

_STEPS = 60
_LR = 0.08
_LAST_LR = 0.05  # of the first
_BETAS_LR = 2.0  # times that of the rotations

_DIRECTION, _HEADING, _PLACE, _POSE, _SHAPE, _TILT, _ROLL = 1.0, 20.0, 24.0, 0.006, 0.02, 10.0, 5.0
_DEPTH_STRETCH = 1.35
"""Landmarks are flatter than persons: by so much their depths are stretched, so that headings near ±45 and
±135 degrees come out right (measured).
"""
_TYPICAL_TILT = -0.21
"""z of the up-axes of pelvis and spine: cameras hang above people, and see them lean towards the lens by 12
degrees. A crop shows hardly anything of it, and what landmarks say of it is mostly noise, which stands out in
a turned view.
"""
_OUTLIER_M = 0.2
_VECTOR = 64  # whatever the width of a processor's vectors
_NECK = JOINT_NAMES.index("neck")

# Directions that landmarks give, and what each counts.
_SEGMENTS: tuple[tuple[str, str, float], ...] = (
    ("left_shoulder", "right_shoulder", 2.0),
    ("left_hip", "right_hip", 2.0),
    ("left_shoulder", "left_hip", 0.3),
    ("left_shoulder", "left_elbow", 0.7),
    ("left_elbow", "left_wrist", 0.5),
    ("left_hip", "left_knee", 0.5),
    ("left_knee", "left_ankle", 0.5),
    ("left_ankle", "left_toes", 0.6),
    ("left_heel", "left_toes", 0.4),
    ("left_ear", "right_ear", 0.3),
    ("left_wrist", "left_index", 0.1),
)
_IMAGE_WEIGHTS = {
    "nose": 0.3, "ear": 0.3, "shoulder": 1.0, "elbow": 0.8, "wrist": 0.7, "hip": 1.0, "knee": 1.0,
    "ankle": 1.0, "heel": 0.5, "toes": 0.5,
}  # fmt: skip
_FACE_WEIGHT, _HAND_WEIGHT = 0.15, 0.1


@dataclass(frozen=True)
class Fitted:
    """Bodies and where they are in the square picture.

    rotations (B, 24, 3, 3), betas (B, 10). scale_px (B,): pixels in a metre. pelvis_px (B, 2): its place.
    """

    rotations: Tensor
    betas: Tensor
    scale_px: Tensor
    pelvis_px: Tensor

    @property
    def parameters(self) -> BodyParameters:
        num = len(self.rotations)
        turns = matrix_to_axis_angle(_filled_up(self.rotations))[:num]
        return BodyParameters(turns[:, 0].contiguous(), turns[:, 1:].flatten(1), self.betas)


class BodyFitter:
    """Fits bodies of one skeleton."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._prior = PosePrior.of_walkers()

    def fit(self, image: Tensor, world: Tensor, visibility: Tensor) -> Fitted:
        """Fit B bodies to landmarks.

        image (B, 33, 2), world (B, 33, 3), visibility (B, 33): see `Landmarks`.
        """
        num = len(image)
        image, world, visibility = (_filled_up(part) for part in (image, world, visibility))
        target = _Target.of(image, world, visibility)
        columns = self._start(target).requires_grad_()
        betas = torch.zeros(len(image), NUM_BETAS, requires_grad=True)
        adam = torch.optim.Adam(
            [{"params": columns, "factor": 1.0}, {"params": betas, "factor": _BETAS_LR}], _LR, (0.9, 0.99)
        )
        for step in range(_STEPS):
            part = _LAST_LR + (1 - _LAST_LR) * (1 + math.cos(math.pi * step / _STEPS)) / 2
            for group in adam.param_groups:
                group["lr"] = _LR * part * group["factor"]
            adam.zero_grad(set_to_none=True)
            self._misfit(columns, betas, target).backward()
            adam.step()
        with torch.no_grad():
            rotations = rotation_6d_to_matrix(columns)
            points, _ = landmark_points(self._skeleton, rotations, betas)
            scale, pelvis = closest_camera(points[..., :2], target.image, target.image_weight)
        return Fitted(rotations[:num], betas.detach()[:num], scale[:num], pelvis[:num])

    def _start(self, target: _Target) -> Tensor:
        """(B, 24, 6): the mean pose, upright, turned as shoulders and hips are."""
        yaw = torch.atan2(target.left[:, 2], target.left[:, 0])
        zero = torch.zeros_like(yaw)
        upright = axis_angle_to_matrix(torch.tensor([math.pi, 0.0, 0.0]))
        root = upright @ axis_angle_to_matrix(torch.stack([zero, yaw, zero], dim=1))
        pose = self._prior.mean.expand(len(yaw), NUM_JOINTS - 1, 3, 3)
        return matrix_to_rotation_6d(torch.cat([root[:, None], pose], dim=1))

    def _misfit(self, columns: Tensor, betas: Tensor, target: _Target) -> Tensor:
        """The sum over bodies, so that none feels the others."""
        rotations = rotation_6d_to_matrix(columns)
        points, joints = landmark_points(self._skeleton, rotations, betas)
        directions = F.normalize(points[:, target.ends] - points[:, target.starts], dim=2, eps=1e-6)
        apart = (directions - target.directions).square().sum(2)
        scale, pelvis = closest_camera(points[..., :2], target.image, target.image_weight)
        there = scale[:, None, None] * points[..., :2] + pelvis[:, None]
        off_m = ((there - target.image) / scale[:, None, None]).square().sum(2)
        # A landmark that is far off, such as a hand of somebody else, pulls no harder than one at _OUTLIER_M.
        off_m = off_m / (off_m.detach() / _OUTLIER_M**2 + 1).sqrt()
        spine = F.normalize(joints[:, _NECK], dim=1, eps=1e-6)
        left = F.normalize(rotations[:, 0, :, 0] * rotations.new_tensor([1.0, 0.0, 1.0]), dim=1, eps=1e-6)
        tilts = torch.stack([rotations[:, 0, 2, 1], spine[:, 2]], dim=1) - _TYPICAL_TILT
        return (
            _DIRECTION * (target.direction_weight * apart).sum()
            + _HEADING * (left - target.left).square().sum()
            + _PLACE * (target.image_weight * off_m).sum()
            + _POSE * self._prior.distance(columns[:, 1:]).sum()
            + _SHAPE * betas.square().sum()
            + _TILT * tilts.square().sum()
            + _ROLL * rotations[:, 0, 0, 1].square().sum()
        )


@dataclass(frozen=True)
class _Target:
    """What the landmarks ask for. S segments.

    image (B, 33, 2), image_weight (B, 33). directions (B, S, 3) of unit length, direction_weight (B, S);
    starts, ends: the landmarks of each segment. left (B, 3): from the body's right to its left, level and of
    unit length.
    """

    image: Tensor
    image_weight: Tensor
    directions: Tensor
    direction_weight: Tensor
    left: Tensor
    starts: list[int]
    ends: list[int]

    @classmethod
    def of(cls, image: Tensor, world: Tensor, visibility: Tensor) -> _Target:
        starts, ends, weights = _segments()
        deep = world * world.new_tensor([1.0, 1.0, _DEPTH_STRETCH])
        seen = torch.minimum(visibility[:, starts], visibility[:, ends])
        left = deep[:, numbers("left_shoulder", "left_hip")] - deep[:, numbers("right_shoulder", "right_hip")]
        level = left.sum(1) * left.new_tensor([1.0, 0.0, 1.0])
        return cls(
            image,
            visibility * visibility.new_tensor([_image_weight(name) for name in LANDMARK_NAMES]),
            F.normalize(deep[:, ends] - deep[:, starts], dim=2, eps=1e-6),
            seen * seen.new_tensor(weights),
            F.normalize(level, dim=1, eps=1e-6),
            starts,
            ends,
        )


def _filled_up(rows: Tensor) -> Tensor:
    """(B, …) with the last row repeated until B is a multiple of `_VECTOR`.

    The last numbers of an array go another way through the processor than whole vectors do, and differ in
    their last bit: without this, a body would depend on how many others it is fitted with.
    """
    missing = -len(rows) % _VECTOR
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])


def closest_camera(points: Tensor, image: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Scale s (B,) and shift t (B, 2) of s·X + t that come closest to the image, in weighted squares.

    points, image (B, N, 2); weight (B, N).
    """
    share = (weight / weight.sum(1, keepdim=True).clamp_min(1e-6))[..., None]
    middle, image_middle = (share * points).sum(1), (share * image).sum(1)
    around, image_around = points - middle[:, None], image - image_middle[:, None]
    spread = (share * around.square()).sum((1, 2)).clamp_min(1e-6)
    scale = ((share * around * image_around).sum((1, 2)) / spread).clamp_min(1.0)
    return scale, image_middle - scale[:, None] * middle


def _segments() -> tuple[list[int], list[int], list[float]]:
    """Starts, ends and weights of the segments of both halves of the body."""
    starts: list[int] = []
    ends: list[int] = []
    weights: list[float] = []
    for start, end, weight in _SEGMENTS:
        pairs = [(start, end)]
        if not end.startswith("right_"):
            pairs.append((start.replace("left_", "right_"), end.replace("left_", "right_")))
        for pair in pairs:
            first, second = numbers(*pair)
            starts.append(first)
            ends.append(second)
            weights.append(weight)
    return starts, ends, weights


def _image_weight(name: str) -> float:
    part = name.removeprefix("left_").removeprefix("right_")
    if part in _IMAGE_WEIGHTS:
        return _IMAGE_WEIGHTS[part]
    return _HAND_WEIGHT if part in ("pinky", "index", "thumb") else _FACE_WEIGHT
