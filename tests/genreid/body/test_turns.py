"""The compiled rotations against the batched ones of `genreid.body.rotations`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, rotate_about_vertical
from genreid.body.turns import axis_angle, axis_angles, bone_turns, tilt_turn_roll, turn_about


def matrices(angles: np.ndarray) -> np.ndarray:
    return axis_angle_to_matrix(torch.from_numpy(angles)).numpy()


def test_axis_angles_give_the_rotation_back() -> None:
    rng = np.random.default_rng(1)
    angles = rng.normal(0.0, 0.8, (50, 3)) * np.linspace(0.0, 1.0, 50)[:, None]
    assert np.allclose(axis_angles(matrices(angles)), angles, atol=1e-7)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turns_about_the_axes(axis: int) -> None:
    vector = np.zeros(3)
    vector[axis] = np.radians(37.0)
    assert np.allclose(turn_about(axis, 37.0), matrices(vector[None])[0])


def test_the_order_of_euler_turns() -> None:
    expected = turn_about(0, 10.0) @ turn_about(1, 20.0) @ turn_about(2, -30.0)
    assert np.allclose(tilt_turn_roll(10.0, 20.0, -30.0), expected)


@pytest.mark.parametrize("heading", [0.0, 33.0, 90.0, -179.9, 180.0])
def test_half_turns_and_yaw(heading: float) -> None:
    root = turn_about(0, 195.0) @ turn_about(1, heading)
    expected = matrix_to_axis_angle(torch.from_numpy(root[None]))[0].numpy()
    assert np.allclose(matrices(axis_angle(root)[None])[0], root, atol=1e-6)
    assert np.allclose(np.linalg.norm(axis_angle(root)), np.linalg.norm(expected), atol=1e-6)
    turned = rotate_about_vertical(torch.from_numpy(axis_angle(root)[None]), 45.0)
    assert np.allclose(axis_angle_to_matrix(turned)[0].numpy(), root @ turn_about(1, 45.0), atol=1e-6)


def test_bones_turn_as_the_body_poses_them(body: Body) -> None:
    rng = np.random.default_rng(2)
    local = matrices(rng.normal(0.0, 0.5, (24, 3)))
    turns = bone_turns(local[0], local[1:])
    pose = torch.from_numpy(axis_angles(local).astype(np.float32)).reshape(1, 72)
    zeros = torch.zeros(1, 10)
    posed = body.pose(BodyParameters(pose[:, :3], pose[:, 3:], zeros)).joints[0].numpy()
    rest = body.pose(BodyParameters(torch.zeros(1, 3), torch.zeros(1, 69), zeros)).joints[0].numpy()
    # A bone's child joint lies where the bone's rotation takes it.
    for joint, child in ((0, 1), (1, 4), (4, 7), (9, 13), (13, 16), (16, 18), (18, 20), (12, 15)):
        assert np.allclose(posed[child] - posed[joint], turns[joint] @ (rest[child] - rest[joint]), atol=1e-5)
