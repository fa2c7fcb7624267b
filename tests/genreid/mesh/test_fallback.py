"""The mean of the others, by hand and in parts, and whom it goes to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from genreid.body.body import BodyParameters
from genreid.mesh.fallback import fill_missing, mean_body
from genreid.mesh.shards import MeshEstimates


def test_the_mean_of_turns_to_both_sides_is_the_middle() -> None:
    pose = torch.zeros(2, 69)
    pose[0, 3], pose[1, 3] = 0.9, 0.1
    root = torch.tensor([[np.pi, 0.0, 0.0]] * 2)
    betas = torch.zeros(2, 10)
    betas[:, 2] = torch.tensor([1.0, 2.0])
    camera = torch.tensor([[0.5, 0.2, 0.1], [2.0, -0.1, 0.1]])
    both = MeshEstimates(["ok"] * 2, np.ones(2, np.float32), BodyParameters(root, pose, betas), camera)
    mean = mean_body([both])
    assert mean is not None
    expected = torch.zeros(24, 3)
    expected[0, 0], expected[2, 0] = np.pi, 0.5
    torch.testing.assert_close(mean.rotations.abs(), expected, atol=1e-5, rtol=0)
    assert mean.betas[2] == pytest.approx(1.5)
    # Size by its logarithm; place in the image: (0.1 − 0.2)/2 and (0.05 + 0.2)/2.
    torch.testing.assert_close(mean.camera, torch.tensor([1.0, -0.05, 0.125]))


def test_the_mean_rotation_is_scipys(people: MeshEstimates) -> None:
    mean = mean_body([people])
    assert mean is not None
    elbow = people.parameters.body_pose.unflatten(1, (-1, 3))[:, 17].numpy()
    expected = Rotation.from_rotvec(elbow).mean().as_rotvec()
    np.testing.assert_allclose(mean.rotations[18].numpy(), expected, atol=1e-5)


def test_parts_give_the_mean_of_the_whole_and_only_ok_counts(people: MeshEstimates) -> None:
    whole = mean_body([people])
    strangers = MeshEstimates(
        ["fallback", "no_person", "failed"], np.zeros(3, np.float32), people.parameters.select(slice(3)),
        people.camera[:3],
    )  # fmt: skip
    parts = [people.select(np.arange(3)), strangers, people.select(np.arange(3, 8))]
    in_parts = mean_body(parts)
    assert whole is not None and in_parts is not None
    torch.testing.assert_close(in_parts.rotations, whole.rotations)
    torch.testing.assert_close(in_parts.camera, whole.camera)
    assert mean_body([strangers]) is None and mean_body([]) is None


def test_whoever_was_not_found_gets_it(people: MeshEstimates) -> None:
    found = MeshEstimates.without_mesh(["no_person", "failed", "no_person"])
    found = found.fill(np.array([0]), people.select(np.array([2])))
    mean = mean_body([people])
    assert mean is not None
    filled = fill_missing(found, mean)
    assert filled.status == ["ok", "failed", "fallback"]
    assert torch.equal(filled.camera[0], people.camera[2])
    assert torch.equal(filled.camera[2], mean.camera) and filled.score[2] == 0
    assert torch.equal(filled.parameters.body_pose[2], mean.rotations[1:].flatten())
    assert filled.valid.tolist() == [True, False, True]
