"""Where the mean body stands, and that it is the same for everybody."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from genreid.body.body import Body
from genreid.body.camera import project
from genreid.body.poses import sample_habit, sample_pose
from genreid.body.rotations import heading_deg
from genreid.mesh.estimator import build_estimator
from genreid.mesh.mean_pose import mean_walking_pose


@pytest.mark.parametrize(("height_px", "width_px"), [(128, 64), (50, 60)])
def test_it_stands_in_the_middle_of_any_crop_and_faces_the_camera(
    body: Body, height_px: int, width_px: int
) -> None:
    estimator = build_estimator("mean_pose", body, regressor=None, truth=None, device=torch.device("cpu"))
    found = estimator.estimate(["a"], [np.zeros((height_px, width_px, 3), np.uint8)])
    assert found.status == ["ok"]
    assert heading_deg(found.parameters.global_orient).abs().item() < 1e-3
    points = project(body.pose(found.parameters).vertices, found.camera, height_px, width_px)[0]
    low, high = points.amin(0), points.amax(0)
    torch.testing.assert_close(
        (low + high) / 2, torch.tensor([width_px / 2, height_px / 2]), atol=0.01, rtol=0
    )
    assert (high - low)[1] == pytest.approx(0.93 * height_px, rel=1e-3)
    head, left_foot = (body.pose(found.parameters).joints[0, joint] for joint in (15, 10))
    assert head[1] < 0 < left_foot[1], "y points down"
    assert left_foot[0] > 0, "the left is at the right of whoever faces the camera"


def test_everybody_gets_the_same_body(body: Body) -> None:
    estimator = build_estimator("mean_pose", body, regressor=None, truth=None, device=torch.device("cpu"))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (128, 64, 3)).astype(np.uint8) for _ in range(3)]
    found = estimator.estimate(["a", "b", "c"], images)
    for values in (found.parameters.body_pose, found.parameters.betas, found.camera):
        assert torch.equal(values, values[:1].expand(3, -1))
    assert len(estimator.estimate([], [])) == 0


def test_its_pose_is_the_mean_of_walkers() -> None:
    """Of others than those it was taken from: mean knee flexion and arms that hang, by scipy."""
    rng = np.random.default_rng(5)
    poses = np.stack([sample_pose(rng, sample_habit(rng)).body_pose() for _ in range(600)]).reshape(-1, 23, 3)
    mean = mean_walking_pose().reshape(23, 3).numpy()
    for joint in (3, 15, 17):  # left knee, left shoulder, left elbow
        expected = Rotation.from_rotvec(poses[:, joint]).mean()
        difference = (expected.inv() * Rotation.from_rotvec(mean[joint])).magnitude()
        assert np.degrees(difference) < 4
