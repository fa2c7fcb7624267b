"""The weak-perspective camera against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.camera import project


def test_hand_worked_projection() -> None:
    """Crop of 128×64: the longer half side is 64 px. s = 0.5, t = (0.1, −0.2).

    Pelvis: u = 32 + 0.5·0.1·64 = 35.2; v = 64 − 0.5·0.2·64 = 57.6. One metre down and half to the right: +32,
    +16.
    """
    points = torch.tensor([[[0.0, 0.0, 0.0], [0.5, 1.0, 7.0]]])
    pixels = project(points, torch.tensor([[0.5, 0.1, -0.2]]), 128, 64)
    np.testing.assert_allclose(pixels, [[[35.2, 57.6], [51.2, 89.6]]], rtol=1e-6)


def test_the_longer_side_sets_the_scale_also_in_a_wide_crop() -> None:
    corner = torch.tensor([[[1.0, 1.0, 0.0]]])
    pixels = project(corner, torch.tensor([[1.0, 0.0, 0.0]]), 20, 50)
    np.testing.assert_allclose(pixels, [[[50.0, 35.0]]])  # x' = 1 is the right edge; v = 10 + 25


def test_each_image_of_a_batch_has_its_own_size() -> None:
    points = torch.randn(3, 5, 3)
    camera = torch.tensor([[0.9, 0.0, 0.1], [0.5, 0.2, 0.0], [1.1, -0.1, 0.3]])
    heights, widths = torch.tensor([128, 60, 256]), torch.tensor([64, 90, 128])
    together = project(points, camera, heights, widths)
    for i in range(3):
        alone = project(points[i : i + 1], camera[i : i + 1], int(heights[i]), int(widths[i]))
        np.testing.assert_allclose(together[i : i + 1], alone, rtol=1e-6)


def test_an_upright_head_is_above_the_pelvis_in_the_image(body: Body) -> None:
    parameters = BodyParameters(torch.tensor([[np.pi, 0.0, 0.0]]), torch.zeros(1, 69), torch.zeros(1, 10))
    joints = project(body.pose(parameters).joints, torch.tensor([[0.8, 0.0, 0.0]]), 128, 64)[0]
    at = {name: joints[j] for j, name in enumerate(body.joint_names)}
    assert at["head"][1] < at["pelvis"][1] < at["left_ankle"][1]
    # Facing the camera, the left hand is on the image's right.
    assert at["left_hand"][0] > at["pelvis"][0] > at["right_hand"][0]
