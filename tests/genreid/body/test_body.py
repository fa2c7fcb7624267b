"""The posed body: against smplx's own forward pass, hand-worked turns and what anatomy demands."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from genreid.body.body import OPEN_BODY_PATH, Body, BodyParameters, load_body
from genreid.body.files import read_body_file
from genreid.body.rotations import rotate_about_vertical
from genreid.errors import GenreidError


def still(num: int = 1) -> dict[str, torch.Tensor]:
    """Facing the camera in T-pose."""
    return {
        "global_orient": torch.tensor([[np.pi, 0.0, 0.0]]).repeat(num, 1),
        "body_pose": torch.zeros(num, 69),
        "betas": torch.zeros(num, 10),
    }


def with_joint(body: Body, joint: str, rotation: list[float]) -> BodyParameters:
    values = still()
    start = 3 * (body.joint_names.index(joint) - 1)
    values["body_pose"][0, start : start + 3] = torch.tensor(rotation)
    return BodyParameters(**values)


def skinned_by_hand(parameters: BodyParameters) -> np.ndarray:
    """Linear blend skinning of one person in NumPy and SciPy, from the asset's arrays (SMPL, section 3)."""
    arrays = read_body_file(OPEN_BODY_PATH)
    shaped = arrays["v_template"] + arrays["shapedirs"] @ parameters.betas[0].numpy()
    joints = arrays["J_regressor"] @ shaped
    pose = np.concatenate([parameters.global_orient[0], parameters.body_pose[0]]).reshape(24, 3)
    world = np.zeros((24, 4, 4))
    for j, parent in enumerate(arrays["kintree_table"][0]):
        local = np.eye(4)
        local[:3, :3] = Rotation.from_rotvec(pose[j]).as_matrix()
        local[:3, 3] = joints[j] - (joints[parent] if j else 0)
        world[j] = world[parent] @ local if j else local
    vertices = np.zeros_like(shaped)
    for j in range(24):
        moved = (shaped - joints[j]) @ world[j, :3, :3].T + world[j, :3, 3]
        vertices += arrays["weights"][:, j : j + 1] * moved
    return vertices - world[0, :3, 3]


def test_pose_equals_skinning_by_hand(body: Body) -> None:
    generator = torch.Generator().manual_seed(0)
    parameters = BodyParameters(
        torch.randn(3, 3, generator=generator),
        0.4 * torch.randn(3, 69, generator=generator),
        torch.randn(3, 10, generator=generator),
    )
    posed = body.pose(parameters)
    for i in range(3):
        expected = skinned_by_hand(parameters.select(slice(i, i + 1)))
        np.testing.assert_allclose(posed.vertices[i], expected, atol=2e-5)
    np.testing.assert_allclose(posed.joints[:, 0], 0, atol=1e-7)


def test_pose_correctives_count_where_a_body_has_them(body: Body) -> None:
    """The short cut for zero correctives must not be taken for a body that has some."""
    arrays = read_body_file(OPEN_BODY_PATH)
    arrays["posedirs"] = arrays["posedirs"].copy()
    # The first entry of the elbow's R − I: cos 90° − 1 = −1.
    feature = 9 * (body.joint_names.index("left_elbow") - 1)
    arrays["posedirs"][7, 1, feature] = 0.25
    bent = with_joint(body, "left_elbow", [0.0, -np.pi / 2, 0.0])
    difference = Body(arrays).pose(bent).vertices - body.pose(bent).vertices
    np.testing.assert_allclose(difference[0, 7].norm(), 0.25, atol=1e-5)
    assert difference[0, torch.arange(len(body.template)) != 7].abs().max() < 1e-6


def test_facing_the_camera_nose_and_left_hand_are_where_they_belong(body: Body) -> None:
    vertices = body.pose(BodyParameters(**still())).vertices[0].numpy()
    face = vertices[body.part_labels == body.part_names.index("face")].mean(0)
    scalp = vertices[body.part_labels == body.part_names.index("scalp")].mean(0)
    left_hand = vertices[body.part_labels == body.part_names.index("left_hand")].mean(0)
    assert face[2] < scalp[2]  # nearer to the camera
    assert face[1] < -0.4  # y points down
    assert left_hand[0] > 0.5


def test_turned_left_by_90_degrees(body: Body) -> None:
    """R_90 = R·R_y(90): the nose turns from the camera (−z) to the image's right (+x), left hand to +z."""
    values = still()
    values["global_orient"] = rotate_about_vertical(values["global_orient"], 90.0)
    vertices = body.pose(BodyParameters(**values)).vertices[0].numpy()
    nose = body.template[:, 2] == body.template[body.part_labels == body.part_names.index("face"), 2].max()
    left_hand = vertices[body.part_labels == body.part_names.index("left_hand")].mean(0)
    assert vertices[nose][0, 0] > 0.05
    assert left_hand[2] > 0.5
    assert abs(left_hand[0]) < 0.15


def test_a_bent_elbow_moves_forearm_and_hand_alone(body: Body) -> None:
    before = body.pose(BodyParameters(**still())).vertices[0]
    after = body.pose(with_joint(body, "left_elbow", [0.0, -1.2, 0.0])).vertices[0]
    moved = (after - before).norm(dim=-1).numpy() > 1e-4
    parts = {body.part_names[p] for p in np.unique(body.part_labels[moved])}
    assert {"left_forearm", "left_hand"} <= parts <= {"left_forearm", "left_hand", "left_upper_arm"}
    upper_arm = body.part_labels == body.part_names.index("left_upper_arm")
    assert moved[upper_arm].mean() < 0.5  # only the skin around the elbow
    assert moved[body.part_labels == body.part_names.index("left_hand")].all()
    # It bends forward: the hand comes towards the camera.
    hand = body.part_labels == body.part_names.index("left_hand")
    assert after[hand, 2].mean() < before[hand, 2].mean() - 0.15


def test_arms_hang_at_the_sides_and_a_leg_swings_forward(body: Body) -> None:
    hanging = body.pose(with_joint(body, "left_shoulder", [0.0, 0.0, -1.4])).joints[0]
    at = {name: hanging[j] for j, name in enumerate(body.joint_names)}
    assert at["left_wrist"][1] > at["left_elbow"][1] > at["left_shoulder"][1]
    assert abs(at["left_wrist"][0] - at["left_shoulder"][0]) < 0.2
    swung = body.pose(with_joint(body, "right_hip", [-0.6, 0.0, 0.0])).joints[0]
    ankle = body.joint_names.index("right_ankle")
    assert swung[ankle, 2] < -0.3


def test_betas_within_two_deviations_are_adults(body: Body) -> None:
    values = still(20)
    values["betas"] = 2 * torch.cat([torch.eye(10), -torch.eye(10)])
    vertices = body.pose(BodyParameters(**values)).vertices
    stature = vertices[..., 1].amax(1) - vertices[..., 1].amin(1)
    assert 1.45 < stature.min() < 1.6
    assert 1.8 < stature.max() < 1.95
    assert stature[0] > stature[10]  # the first direction is stature, positive = tall


def test_poses_are_differentiable(body: Body) -> None:
    values = {name: value.requires_grad_() for name, value in still().items()}
    body.pose(BodyParameters(**values)).vertices.square().sum().backward()
    for value in values.values():
        assert value.grad is not None and torch.isfinite(value.grad).all() and value.grad.abs().sum() > 0


def test_fingerprint_changes_with_the_arrays() -> None:
    arrays = read_body_file(OPEN_BODY_PATH)
    first = Body(arrays).fingerprint
    assert first == load_body("open").fingerprint
    arrays["v_template"][0, 0] += 1e-4
    assert Body(arrays).fingerprint != first


def test_parameters_of_the_wrong_shape_are_refused() -> None:
    values = still(2)
    values["body_pose"] = torch.zeros(2, 72)
    with pytest.raises(GenreidError, match=r"body_pose has shape \(2, 72\); expected \(2, 69\)"):
        BodyParameters(**values)


def test_loading_prints_nothing_and_imports_smplx_late() -> None:
    code = (
        "import sys, genreid.body.body as b; assert 'smplx' not in sys.modules;"
        "b.load_body('open'); assert 'smplx' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
