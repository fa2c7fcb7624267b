"""The mirror image of a body against the flipped picture of it, and the skeleton against the skinned body."""

from __future__ import annotations

import numpy as np
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.layout import JOINT_NAMES, mirror_name
from genreid.body.rotations import axis_angle_to_matrix, heading_deg, matrix_to_axis_angle
from genreid.mesh.mirror import mirror_camera, mirror_rotations
from genreid.mesh.shards import MeshEstimates
from genreid.mesh.skeleton import Skeleton
from genreid.render.shading import grey_view


def _rotations(parameters: BodyParameters) -> torch.Tensor:
    joined = torch.cat([parameters.global_orient, parameters.body_pose], dim=1)
    return axis_angle_to_matrix(joined.unflatten(1, (24, 3)))


def _mirrored(parameters: BodyParameters) -> BodyParameters:
    axis_angle = matrix_to_axis_angle(mirror_rotations(_rotations(parameters)))
    return BodyParameters(axis_angle[:, 0], axis_angle[:, 1:].flatten(1), parameters.betas)


def test_the_mirrored_body_looks_like_the_flipped_picture(body: Body, people: MeshEstimates) -> None:
    vertices = body.pose(people.parameters).vertices.numpy()
    mirrored = body.pose(_mirrored(people.parameters)).vertices.numpy()
    cameras = mirror_camera(people.camera).numpy()
    for i in range(len(people)):
        view = grey_view(vertices[i], people.camera[i].numpy(), body.faces, 128, 64)[:, ::-1] > 0
        other = grey_view(mirrored[i], cameras[i], body.faces, 128, 64) > 0
        assert (view & other).sum() / (view | other).sum() > 0.96


def test_the_left_hand_becomes_the_right_one(body: Body, people: MeshEstimates) -> None:
    joints = body.pose(people.parameters).joints
    mirrored = body.pose(_mirrored(people.parameters)).joints
    other_side = [JOINT_NAMES.index(mirror_name(name)) for name in JOINT_NAMES]
    apart = joints[:, other_side] * torch.tensor([-1.0, 1.0, 1.0]) - mirrored
    assert apart.norm(dim=-1).max() < 0.02


def test_the_heading_changes_sign_and_twice_is_nothing(people: MeshEstimates) -> None:
    found = heading_deg(_mirrored(people.parameters).global_orient)
    assert torch.allclose(found, -heading_deg(people.parameters.global_orient), atol=0.05)
    rotations = _rotations(people.parameters)
    assert torch.equal(mirror_rotations(mirror_rotations(rotations)), rotations)


def test_the_skeleton_is_the_bodys(body: Body, people: MeshEstimates) -> None:
    joints = Skeleton.of(body).pose(_rotations(people.parameters), people.parameters.betas)
    np.testing.assert_allclose(joints, body.pose(people.parameters).joints, atol=2e-6)
