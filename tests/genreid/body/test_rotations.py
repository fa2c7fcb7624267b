"""Rotations against SciPy's, at ordinary angles and where the formulas are singular."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from genreid.body.rotations import (
    axis_angle_to_matrix,
    heading_deg,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
    rotate_about_vertical,
    rotation_6d_to_matrix,
    wrap_deg,
)

FACING_CAMERA = torch.tensor([[np.pi, 0.0, 0.0]])


def rotation_vectors(max_angle: float, num: int = 200) -> torch.Tensor:
    rng = np.random.default_rng(0)
    axis = rng.normal(size=(num, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    return torch.as_tensor(axis * rng.uniform(0, max_angle, (num, 1)))


@pytest.mark.parametrize("max_angle", [1e-9, 1e-4, 2e-3, 1.0, np.pi, 9.0])
def test_axis_angle_to_matrix_equals_scipy(max_angle: float) -> None:
    vectors = rotation_vectors(max_angle)
    expected = Rotation.from_rotvec(vectors.numpy()).as_matrix()
    np.testing.assert_allclose(axis_angle_to_matrix(vectors), expected, atol=1e-12)
    np.testing.assert_allclose(axis_angle_to_matrix(vectors.float()), expected, atol=3e-6)


@pytest.mark.parametrize("max_angle", [1e-9, 1e-4, 2e-3, 1.0, np.pi])
def test_matrix_to_axis_angle_equals_scipy(max_angle: float) -> None:
    vectors = rotation_vectors(max_angle)
    matrices = Rotation.from_rotvec(vectors.numpy()).as_matrix()
    np.testing.assert_allclose(matrix_to_axis_angle(torch.as_tensor(matrices)), vectors, atol=1e-7)


def test_half_turns_come_back_as_the_same_rotation() -> None:
    axes = np.concatenate([np.eye(3), -np.eye(3), rotation_vectors(1.0).numpy()])
    half_turn = Rotation.from_rotvec(np.pi * axes / np.linalg.norm(axes, axis=1, keepdims=True)).as_matrix()
    again = matrix_to_axis_angle(torch.as_tensor(half_turn, dtype=torch.float32))
    np.testing.assert_allclose(again.norm(dim=-1), np.pi, atol=1e-3)
    np.testing.assert_allclose(Rotation.from_rotvec(again.numpy()).as_matrix(), half_turn, atol=2e-6)


@pytest.mark.parametrize("vector", [[0.0, 0.0, 0.0], [1e-5, 0.0, 0.0], [0.3, -1.0, 0.2], [np.pi, 0.0, 0.0]])
def test_axis_angle_gradient_equals_finite_differences(vector: list[float]) -> None:
    at = torch.tensor(vector, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(axis_angle_to_matrix, at, eps=1e-6, atol=1e-6)


def test_gradient_through_matrix_and_back_is_the_identity() -> None:
    """The composition is the identity for angles under π, so its Jacobian is the unit matrix, also at 0."""
    for vector in ([0.0, 0.0, 0.0], [1e-7, 2e-7, 0.0], [0.5, -0.2, 1.0], [3.0, 0.1, 0.2]):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)), torch.tensor(vector, dtype=torch.float64)
        )
        np.testing.assert_allclose(jacobian, np.eye(3), atol=1e-6)


def test_rotation_6d_is_the_first_two_columns_and_back() -> None:
    matrices = axis_angle_to_matrix(rotation_vectors(3.0))
    six = matrix_to_rotation_6d(matrices)
    np.testing.assert_array_equal(six[0], [*matrices[0, :, 0], *matrices[0, :, 1]])
    np.testing.assert_allclose(rotation_6d_to_matrix(six), matrices, atol=1e-12)


def test_any_six_numbers_give_a_rotation() -> None:
    six = torch.as_tensor(np.random.default_rng(1).normal(size=(4, 50, 6)))
    matrices = rotation_6d_to_matrix(six)
    np.testing.assert_allclose(
        matrices.transpose(-1, -2) @ matrices, np.eye(3) + np.zeros((4, 50, 3, 3)), atol=1e-9
    )
    np.testing.assert_allclose(torch.linalg.det(matrices), 1, atol=1e-9)
    # Gram-Schmidt keeps the first direction.
    np.testing.assert_allclose(
        matrices[..., 0], six[..., :3] / six[..., :3].norm(dim=-1, keepdim=True), atol=1e-9
    )


def test_heading_counts_from_facing_the_camera_towards_the_bodys_left() -> None:
    yaw = torch.tensor([0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0])
    turned = rotate_about_vertical(FACING_CAMERA.expand(8, 3), yaw)
    np.testing.assert_allclose(heading_deg(turned), [0, 45, 90, 135, 180, -135, -90, -45], atol=1e-3)


def test_turned_left_the_face_looks_to_the_images_right() -> None:
    """Facing the camera, a person's left is on the image's right (+x); R_θ = R·R_y(+θ), as SciPy has it."""
    matrix = axis_angle_to_matrix(rotate_about_vertical(FACING_CAMERA, 90.0))[0].numpy()
    np.testing.assert_allclose(matrix @ [0, 0, 1], [1, 0, 0], atol=1e-6)
    base = Rotation.from_rotvec([0.3, 2.0, -0.4])
    expected = (base * Rotation.from_euler("y", 70, degrees=True)).as_matrix()
    turned = rotate_about_vertical(torch.tensor([0.3, 2.0, -0.4]), 70.0)
    np.testing.assert_allclose(axis_angle_to_matrix(turned), expected, atol=1e-6)


def test_turning_adds_to_the_heading_and_a_full_turn_changes_nothing() -> None:
    start = rotate_about_vertical(FACING_CAMERA, 100.0)
    np.testing.assert_allclose(heading_deg(rotate_about_vertical(start, 100.0)), [-160], atol=1e-3)
    full = axis_angle_to_matrix(rotate_about_vertical(start, 360.0))
    np.testing.assert_allclose(full, axis_angle_to_matrix(start), atol=2e-6)


def test_wrap_deg_stays_in_the_half_open_range() -> None:
    wrapped = wrap_deg(torch.tensor([0.0, 180.0, -180.0, 181.0, -181.0, 540.0, 725.0]))
    np.testing.assert_array_equal(wrapped, [0, 180, 180, -179, 179, 180, 5])
