"""The regression loss at the truth, at errors worked by hand, and its gradient."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.rotations import (
    axis_angle_to_matrix,
    heading_deg,
    matrix_to_axis_angle,
    matrix_to_rotation_6d,
)
from genreid.mesh.loss import Target, regression_losses
from genreid.mesh.regressor import Prediction, camera_from_image, camera_to_image
from genreid.mesh.settings import LossSettings
from genreid.mesh.shards import MeshEstimates
from genreid.mesh.skeleton import Skeleton

ONES = LossSettings(heading=1, root=1, pose=1, betas=1, joints=1, joints_2d=1, camera=1, mask=1)


def _boxes(num: int) -> torch.Tensor:
    """Silhouettes (N, 12, 8), each a box of its own."""
    silhouette = torch.zeros(num, 12, 8, dtype=torch.uint8)
    for i in range(num):
        silhouette[i, 2 : 5 + i % 6, 1 + i % 3 : 6] = 255
    return silhouette


def _target(people: MeshEstimates) -> Target:
    p = people.parameters
    joined = torch.cat([p.global_orient, p.body_pose], dim=1).unflatten(1, (24, 3))
    return Target(axis_angle_to_matrix(joined), p.betas, people.camera, _boxes(len(people)))


def _without_error(target: Target) -> Prediction:
    """What a network would say that is right and sure."""
    mask = torch.where(target.silhouette > 0, 12.0, -12.0)
    return Prediction(
        matrix_to_rotation_6d(target.rotations), target.betas, camera_to_image(target.camera), mask
    )


def test_nothing_is_lost_at_the_truth(body: Body, people: MeshEstimates) -> None:
    target = _target(people)
    losses = regression_losses(_without_error(target), target, Skeleton.of(body), ONES)
    assert set(losses) == set(asdict(ONES))
    assert all(float(value) < 1e-3 for value in losses.values())


def test_errors_worked_by_hand(body: Body) -> None:
    upright = axis_angle_to_matrix(torch.tensor([[math.pi, 0.0, 0.0]] + [[0.0] * 3] * 23))[None]
    target = Target(upright, torch.zeros(1, 10), torch.tensor([[0.5, 0.0, 0.2]]), _boxes(1))
    truth = _without_error(target)
    found = Prediction(
        torch.cat([-truth.rotation_6d[:, :1], truth.rotation_6d[:, 1:]], dim=1),
        truth.betas + 0.1,
        truth.camera + torch.tensor([0.0, 0.3, -0.4]),
        torch.zeros(1, 12, 8),
    )
    losses = regression_losses(found, target, Skeleton.of(body), ONES)
    # Columns of length 1 that point the other way are 2 apart.
    assert losses["heading"] == pytest.approx(4)
    assert losses["root"] == pytest.approx(8)
    assert losses["pose"] == 0
    assert losses["betas"] == pytest.approx(0.01, rel=1e-5)
    assert losses["camera"] == pytest.approx(0.25, rel=1e-5)
    assert losses["mask"] == pytest.approx(math.log(2))  # a coin for each pixel
    doubled = replace(ONES, heading=2.0, joints=0.0)
    other = regression_losses(found, target, Skeleton.of(body), doubled)
    assert other["heading"] == pytest.approx(8) and other["joints"] == 0


def test_a_moved_camera_moves_all_joints_in_the_image(body: Body, people: MeshEstimates) -> None:
    target = _target(people)
    truth = _without_error(target)
    moved = replace(truth, camera=truth.camera + torch.tensor([0.0, 0.3, -0.4]))
    losses = regression_losses(moved, target, Skeleton.of(body), ONES)
    assert losses["joints_2d"] == pytest.approx(0.5, rel=1e-4)
    assert losses["joints"] < 2e-4


def test_the_gradient_is_finite_and_leads_to_the_truth(body: Body, people: MeshEstimates) -> None:
    target, skeleton = _target(people), Skeleton.of(body)
    rng = torch.Generator().manual_seed(0)
    truth = _without_error(target)
    leaves = [
        (value + 0.3 * torch.randn(value.shape, generator=rng)).requires_grad_()
        for value in (truth.rotation_6d, truth.betas, truth.camera, torch.zeros(len(people), 12, 8))
    ]
    optimiser = torch.optim.Adam(leaves, lr=0.02)
    for _ in range(250):
        loss = torch.stack(
            list(regression_losses(Prediction(*leaves), target, skeleton, ONES).values())
        ).sum()
        optimiser.zero_grad()
        loss.backward()
        assert all(bool(torch.isfinite(leaf.grad).all()) for leaf in leaves if leaf.grad is not None)
        optimiser.step()
    found = Prediction(*(leaf.detach() for leaf in leaves))
    headings = heading_deg(matrix_to_axis_angle(found.rotations[:, 0]))
    error = (headings - heading_deg(people.parameters.global_orient) + 180) % 360 - 180
    assert error.abs().max() < 3
    assert torch.equal(found.mask > 1, target.silhouette > 0)


def test_the_masks_cross_entropy_by_a_loop(body: Body, people: MeshEstimates) -> None:
    """Moved edges are partly the person's."""
    rng = np.random.default_rng(0)
    levels, logits = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8), rng.normal(0, 2, (8, 4, 3))
    target = replace(_target(people), silhouette=torch.from_numpy(levels))
    found = replace(_without_error(_target(people)), mask=torch.from_numpy(logits).float())
    terms = []
    for level, logit in zip(levels.ravel() / 255, logits.ravel(), strict=True):
        surely = 1 / (1 + math.exp(-logit))
        terms.append(-(level * math.log(surely) + (1 - level) * math.log(1 - surely)))
    losses = regression_losses(found, target, Skeleton.of(body), replace(ONES, mask=3.0))
    assert losses["mask"].item() == pytest.approx(3 * np.mean(terms), rel=1e-5)


def test_the_cameras_two_forms() -> None:
    camera = torch.tensor([[0.9, 0.1, -0.2], [2.0, -0.3, 0.4]])
    in_image = camera_to_image(camera)
    assert torch.allclose(in_image[1], torch.tensor([math.log(2.0), -0.6, 0.8]))
    assert torch.allclose(camera_from_image(in_image), camera)


def test_joints_in_the_image_are_apart_as_far_as_both_cameras_put_them(
    body: Body, people: MeshEstimates
) -> None:
    target, skeleton = _target(people), Skeleton.of(body)
    truth = _without_error(target)
    wrong = replace(truth, camera=truth.camera + torch.tensor([0.3, -0.2, 0.1]))
    losses = regression_losses(wrong, target, skeleton, ONES)
    joints = skeleton.pose(target.rotations, target.betas).numpy()
    apart = []
    for i in range(len(people)):
        scale, shift = math.exp(truth.camera[i, 0]), truth.camera[i, 1:].numpy()
        for joint in joints[i, :, :2]:
            before = scale * joint + shift
            after = math.exp(0.3) * scale * joint + shift + [-0.2, 0.1]
            apart.append(np.linalg.norm(after - before))
    assert losses["joints_2d"].item() == pytest.approx(np.mean(apart), rel=1e-4)
