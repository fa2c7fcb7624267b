"""Somebody who stands at ease, drawn large enough for its parts to be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters, load_body
from genreid.body.rotations import rotate_about_vertical
from genreid.render.backend import choose_renderer
from genreid.warping.bodies import Bodies
from genreid.warping.warper import Warper

HEIGHT, WIDTH = 128, 64


@dataclass(frozen=True)
class Person:
    """One body at native size HEIGHT×WIDTH: its parameters and camera (1, 3)."""

    parameters: BodyParameters
    camera: torch.Tensor

    def turned(self, yaw_deg: float) -> Person:
        root = rotate_about_vertical(self.parameters.global_orient, yaw_deg)
        return Person(BodyParameters(root, self.parameters.body_pose, self.parameters.betas), self.camera)


@pytest.fixture(scope="session")
def body() -> Body:
    return load_body("open")


@pytest.fixture(scope="session")
def person() -> Person:
    pose = torch.zeros(1, 23, 3)
    pose[0, 15, 2], pose[0, 16, 2] = -1.2, 1.2  # arms hang
    parameters = BodyParameters(torch.tensor([[np.pi, 0.0, 0.0]]), pose.reshape(1, 69), torch.zeros(1, 10))
    return Person(parameters, torch.tensor([[1.0, 0.0, 0.05]]))


@pytest.fixture(scope="session")
def warper(body: Body) -> Warper:
    return Warper(body, choose_renderer("zbuffer", torch.device("cpu")))


def body_of(warper: Warper, person: Person) -> Bodies:
    """The one body of somebody, in an image of the native size."""
    return warper.bodies(person.parameters, person.camera, np.array([HEIGHT]), np.array([WIDTH]))
