"""Headings go wrong by as much as asked, image by image, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.body.body import BodyParameters
from genreid.body.rotations import axis_angle_to_matrix, heading_deg, wrap_deg
from genreid.mesh.heading_noise import with_heading_noise
from genreid.mesh.shards import MeshEstimates


def test_no_noise_leaves_the_estimates_alone(people: MeshEstimates) -> None:
    assert with_heading_noise(people, [str(i) for i in range(8)], 0.0, 1) is people


def test_the_errors_spread_as_asked() -> None:
    num = 2000
    upright = torch.tensor([[np.pi, 0.0, 0.0]]).expand(num, -1)
    parameters = BodyParameters(upright, torch.zeros(num, 69), torch.zeros(num, 10))
    many = MeshEstimates(["ok"] * num, np.ones(num, np.float32), parameters, torch.ones(num, 3))
    noisy = with_heading_noise(many, [str(i) for i in range(num)], 20.0, 1)
    error = wrap_deg(heading_deg(noisy.parameters.global_orient) - heading_deg(upright))
    assert error.mean().item() == pytest.approx(0, abs=1.5)
    assert error.std().item() == pytest.approx(20, rel=0.05)


def test_a_body_turns_about_its_own_axis_and_keeps_all_else(people: MeshEstimates) -> None:
    people = replace(people, masks=[bytes([i]) for i in range(8)])
    noisy = with_heading_noise(people, [str(i) for i in range(8)], 45.0, 1)
    before, after = (axis_angle_to_matrix(found.parameters.global_orient) for found in (people, noisy))
    torch.testing.assert_close(after[..., 1], before[..., 1], atol=1e-5, rtol=0)
    assert (after[..., 2] - before[..., 2]).norm(dim=1).min() > 1e-3
    assert torch.equal(noisy.parameters.body_pose, people.parameters.body_pose)
    assert torch.equal(noisy.camera, people.camera)
    assert noisy.masks == people.masks


def test_an_error_belongs_to_the_image_and_the_seed(people: MeshEstimates) -> None:
    ids = [f"image {i}" for i in range(8)]
    whole = with_heading_noise(people, ids, 20.0, 1).parameters.global_orient
    order = np.array([5, 2, 7])
    part = with_heading_noise(people.select(order), [ids[i] for i in order], 20.0, 1)
    assert torch.equal(part.parameters.global_orient, whole[torch.from_numpy(order)])
    other = with_heading_noise(people, ids, 20.0, 2).parameters.global_orient
    assert (whole - other).abs().amax(1).min() > 1e-4


def test_who_has_no_mesh_gets_none(people: MeshEstimates) -> None:
    found = MeshEstimates.without_mesh(["no_person", "failed"]).fill(
        np.array([1]), people.select(np.array([0]))
    )
    noisy = with_heading_noise(found, ["a", "b"], 20.0, 1)
    assert noisy.status == found.status
    assert torch.equal(noisy.parameters.global_orient[0], torch.zeros(3))
