"""The accuracy measures on errors of a known size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.rotations import rotate_about_vertical
from genreid.mesh.accuracy import measure, silhouette_ious, vertex_errors_mm
from genreid.mesh.ground_truth import mean_pose_with_true_root
from genreid.mesh.shards import MeshEstimates

HEIGHT, WIDTH = np.full(8, 128), np.full(8, 64)


def _turned(people: MeshEstimates, yaw_deg: torch.Tensor) -> MeshEstimates:
    p = people.parameters
    turned = BodyParameters(rotate_about_vertical(p.global_orient, yaw_deg), p.body_pose, p.betas)
    return replace(people, parameters=turned)


def test_the_truth_is_perfect(body: Body, people: MeshEstimates) -> None:
    accuracy = measure(people, people, body, HEIGHT, WIDTH)
    assert accuracy.median_heading_error_deg == pytest.approx(0, abs=0.05)
    assert accuracy.flip_rate == 0
    assert accuracy.median_vertex_error_mm == 0
    assert accuracy.median_iou == 1
    assert (accuracy.num, accuracy.num_missing) == (8, 0)


def test_turned_bodies(body: Body, people: MeshEstimates) -> None:
    upright = people.parameters.global_orient.clone()
    upright[:] = torch.tensor([math.pi, 0.0, 0.0])
    p = people.parameters
    people = replace(people, parameters=BodyParameters(upright, p.body_pose, p.betas))
    turns = torch.tensor([10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 140.0, 180.0])
    accuracy = measure(_turned(people, turns), people, body, HEIGHT, WIDTH)
    assert accuracy.median_heading_error_deg == pytest.approx(25, abs=0.01)
    assert accuracy.flip_rate == 2 / 8
    assert 0.5 < accuracy.median_iou < 0.99


def test_vertex_errors_are_of_a_person_of_one_metre(body: Body) -> None:
    # Half a turn moves each vertex by twice its distance from the vertical axis through the pelvis.
    upright = torch.tensor([[math.pi, 0.0, 0.0]])
    true = BodyParameters(upright, torch.zeros(1, 69), torch.zeros(1, 10))
    turned = BodyParameters(rotate_about_vertical(upright, 180.0), torch.zeros(1, 69), torch.zeros(1, 10))
    vertices = body.pose(true).vertices[0].double()
    expected = 2 * vertices[:, [0, 2]].norm(dim=1).mean() / (vertices[:, 1].max() - vertices[:, 1].min())
    assert vertex_errors_mm(turned, true, body) == pytest.approx([1000 * float(expected)], rel=1e-4)


def test_stature_does_not_count(body: Body) -> None:
    root, pose = torch.tensor([[math.pi, 0.0, 0.0]]), torch.zeros(1, 69)
    tall = torch.zeros(1, 10)
    tall[0, 0] = 2.0
    one, other = BodyParameters(root, pose, torch.zeros(1, 10)), BodyParameters(root, pose, tall)
    apart = (body.pose(one).vertices - body.pose(other).vertices).norm(dim=-1).mean() * 1000
    assert apart > 20
    assert vertex_errors_mm(one, other, body)[0] < 0.5 * float(apart)


def test_overlap_of_a_shifted_body(body: Body, people: MeshEstimates) -> None:
    beside = replace(people, camera=people.camera + torch.tensor([0.0, 5.0, 0.0]))
    assert not silhouette_ious(beside, people, body, HEIGHT, WIDTH).any()
    near = replace(people, camera=people.camera + torch.tensor([0.0, 2 / (0.9 * 64), 0.0]))
    overlaps = silhouette_ious(near, people, body, HEIGHT, WIDTH)
    assert ((overlaps > 0.6) & (overlaps < 0.95)).all()


def test_images_without_a_mesh_are_counted_apart(body: Body, people: MeshEstimates) -> None:
    partly = MeshEstimates.without_mesh(["failed"] * 8).fill(np.arange(3), people.select(np.arange(3)))
    accuracy = measure(partly, people, body, HEIGHT, WIDTH)
    assert (accuracy.num, accuracy.num_missing) == (3, 5)
    assert accuracy.median_vertex_error_mm == 0
    nothing = measure(MeshEstimates.without_mesh(["failed"] * 8), people, body, HEIGHT, WIDTH)
    assert nothing.num == 0 and nothing.num_missing == 8 and math.isnan(nothing.median_iou)


def test_the_baseline_knows_the_root_and_nothing_else(body: Body, people: MeshEstimates) -> None:
    baseline = mean_pose_with_true_root(people)
    assert len(torch.unique(baseline.parameters.body_pose, dim=0)) == 1
    accuracy = measure(baseline, people, body, HEIGHT, WIDTH)
    assert accuracy.median_heading_error_deg < 0.1
    assert accuracy.median_vertex_error_mm > 20


def test_the_mean_pose_is_half_way_between_two(people: MeshEstimates) -> None:
    two = people.select(np.array([0, 1]))
    pose = torch.zeros(2, 69)
    pose[0, 10], pose[1, 10] = 0.2, 0.8
    two = replace(two, parameters=BodyParameters(two.parameters.global_orient, pose, two.parameters.betas))
    mean = mean_pose_with_true_root(two).parameters
    assert mean.body_pose[0, 10] == pytest.approx(0.5, abs=1e-5)
    assert torch.allclose(mean.betas[0], two.parameters.betas.mean(0))
