"""A body and a few persons in the street, shared by the tests of this room."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters, load_body
from genreid.body.rotations import rotate_about_vertical
from genreid.mesh.shards import MeshEstimates


@pytest.fixture(scope="session")
def body() -> Body:
    return load_body("open")


@pytest.fixture(scope="session")
def people() -> MeshEstimates:
    """Eight persons of any heading in poses of their own, in crops of 128 × 64."""
    rng = torch.Generator().manual_seed(7)
    num = 8
    pose = 0.15 * torch.randn(num, 23, 3, generator=rng)
    pose[:, 15, 2] -= 1.2
    pose[:, 16, 2] += 1.2
    root = torch.tensor([[np.pi - 0.15, 0.0, 0.05]]).repeat(num, 1)
    parameters = BodyParameters(
        rotate_about_vertical(root, torch.linspace(-170, 150, num)),
        pose.flatten(1),
        torch.randn(num, 10, generator=rng),
    )
    camera = torch.tensor([0.9, 0.02, 0.1]) + 0.02 * torch.randn(num, 3, generator=rng)
    return MeshEstimates(["ok"] * num, np.ones(num, np.float32), parameters, camera)
