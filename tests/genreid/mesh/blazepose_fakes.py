"""Landmarks of bodies that are known, and a network that answers with them: nothing here looks at pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import JOINT_NAMES, PARENTS, mirror_name
from genreid.body.rotations import axis_angle_to_matrix, rotate_about_vertical
from genreid.mesh.blazepose import points
from genreid.mesh.blazepose.fit import _DEPTH_STRETCH
from genreid.mesh.blazepose.landmarks import LANDMARK_NAMES, Landmarks
from genreid.mesh.mean_pose import mean_walking_pose

SIDE_PX = 256
PX_PER_M = 100.0


def walkers(*headings_deg: float) -> BodyParameters:
    """One person for each heading, seen from 12 degrees above, in poses near the mean one."""
    num = len(headings_deg)
    rng = torch.Generator().manual_seed(3)
    bend = torch.zeros(num, 23, 3)
    for name, size in (("left_hip", 0.3), ("right_hip", 0.3), ("left_elbow", 0.2), ("right_elbow", 0.2)):
        bend[:, JOINT_NAMES.index(name) - 1, 0] = size * torch.randn(num, generator=rng)
    root = torch.tensor([[math.pi + math.asin(0.21), 0.0, 0.0]]).repeat(num, 1)
    return BodyParameters(
        rotate_about_vertical(root, torch.tensor(headings_deg)),
        mean_walking_pose()[None] + bend.flatten(1),
        0.3 * torch.randn(num, 10, generator=rng),
    )


def landmarks_of(
    body: Body, parameters: BodyParameters, pelvis_px: tuple[float, float] = (120, 110)
) -> Landmarks:
    """What a perfect network would say, worked out joint by joint with smplx's own joints."""
    joints = body.pose(parameters).joints.numpy()
    turns = torch.cat([parameters.global_orient, parameters.body_pose], dim=1).unflatten(1, (-1, 3))
    matrices = axis_angle_to_matrix(turns).numpy()
    world = np.zeros((len(parameters), len(LANDMARK_NAMES), 3), np.float32)
    for person in range(len(parameters)):
        frames: list[np.ndarray] = []
        for joint, parent in enumerate(PARENTS):
            own = matrices[person, joint]
            frames.append(own if parent < 0 else frames[parent] @ own)
        for number, name in enumerate(LANDMARK_NAMES):
            at, frame, offset = _place(name)
            world[person, number] = joints[person, at] + frames[frame] @ offset
    image = PX_PER_M * world[..., :2] + np.array(pelvis_px, np.float32)
    hips = world[:, [LANDMARK_NAMES.index("left_hip"), LANDMARK_NAMES.index("right_hip")]].mean(
        1, keepdims=True
    )
    flat = np.array([1, 1, 1 / _DEPTH_STRETCH], np.float32)
    num = len(parameters)
    return Landmarks(
        image=image.astype(np.float32),
        world=((world - hips) * flat).astype(np.float32),
        visibility=np.ones((num, 33), np.float32),
        peak=np.full((num, 33), 1.5, np.float32),
        presence=np.ones(num, np.float32),
        mask=np.zeros((num, SIDE_PX, SIDE_PX), np.float32),
    )


def _place(name: str) -> tuple[int, int, np.ndarray]:
    left = mirror_name(name) if name.startswith("right_") else name
    joint, frame, offset = points._PLACES[left]
    metres = np.array(offset, np.float32) / 1000
    if name.startswith("right_"):
        return (
            JOINT_NAMES.index(mirror_name(joint)),
            JOINT_NAMES.index(mirror_name(frame)),
            metres * np.array([-1, 1, 1], np.float32),
        )
    return JOINT_NAMES.index(joint), JOINT_NAMES.index(frame), metres


class FakeNetwork:
    """Answers with the landmarks of the person whose number is the red value of the picture's first pixel,
    and with those mirrored where the picture's last column says that it is a mirror image.

    Pictures come from `picture`.
    """

    def __init__(self, known: Landmarks) -> None:
        self._known = known

    def look(self, square: np.ndarray) -> Landmarks:
        is_mirrored = square[0, 0, 1] > square[0, -1, 1]
        person = int(square[0, -1 if is_mirrored else 0, 0])
        one = self._known.select(np.array([person]))
        return one.mirrored() if is_mirrored else one


def picture(person: int) -> np.ndarray:
    """(128, 128, 3): of person `person`; green grows to the right."""
    image = np.full((128, 128, 3), person, np.uint8)
    image[..., 1] = np.arange(128)
    return image


def changed(landmarks: Landmarks, names: Sequence[str], **values: float) -> Landmarks:
    """The same with the fields `values` of some landmarks at a value."""
    from dataclasses import replace

    rows = [LANDMARK_NAMES.index(name) for name in names]
    arrays = {}
    for field, value in values.items():
        array = getattr(landmarks, field).copy()
        array[:, rows] = value
        arrays[field] = array
    return replace(landmarks, **arrays)
