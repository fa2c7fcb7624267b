"""What a view of a posed body sees of it: against what trigonometry says of a tube."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.render.backend import choose_renderer
from genreid.render.look import BodyView

RADIUS_M, SCALE = 0.2, 2.0


@pytest.fixture(scope="module")
def views() -> list[BodyView]:
    """Two upright tubes, the second one turned by 40 degrees, each in a view of its own size."""
    vertices = torch.from_numpy(np.stack([_tube(0.0), _tube(40.0)]))
    camera = torch.tensor([[SCALE, 0.05, 0.0]]).expand(2, 3)
    renderer = choose_renderer("zbuffer", torch.device("cpu"))
    return renderer.look(vertices, camera, _faces(), np.array([128, 96]), np.array([64, 48]))


def _angles(turn_deg: float) -> np.ndarray:
    """Where the vertices of a ring stand (120,), in radians from the camera's side."""
    return np.radians(np.arange(0, 360, 3) + turn_deg)


def _tube(turn_deg: float) -> np.ndarray:
    """Vertices (240, 3), z away from the camera: a ring above, a ring below."""
    angle = _angles(turn_deg)
    ring = RADIUS_M * np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle)], axis=1)
    half = np.array([0.0, 0.15, 0.0])
    return np.concatenate([ring - half, ring + half]).astype(np.float32)


def _faces() -> np.ndarray:
    """Triangles (240, 3) that face outwards."""
    i = np.arange(120)
    j = (i + 1) % 120
    faces = np.concatenate([np.stack([i, i + 120, j], 1), np.stack([j, i + 120, j + 120], 1)])
    return faces.astype(np.int32)


def test_a_vertex_faces_the_camera_by_the_cosine_of_its_angle(views: list[BodyView]) -> None:
    for view, turn_deg in zip(views, (0.0, 40.0), strict=True):
        # The triangles about a vertex are two to one side and one to the other: half a degree.
        np.testing.assert_allclose(view.facing, np.tile(np.cos(_angles(turn_deg)), 2), atol=0.01)


def test_points_are_where_the_camera_projects_the_vertices(views: list[BodyView]) -> None:
    for view, turn_deg, (height, width) in zip(views, (0.0, 40.0), ((128, 64), (96, 48)), strict=True):
        x, y, _ = _tube(turn_deg).T
        per_metre = SCALE * height / 2
        np.testing.assert_allclose(view.points[:, 0], width / 2 + (x + 0.05) * per_metre, atol=1e-3)
        np.testing.assert_allclose(view.points[:, 1], height / 2 + y * per_metre, atol=1e-3)
        nearness = view.points[:, 2] - view.points[:, 2].min()
        np.testing.assert_allclose(
            nearness, RADIUS_M * (1 - np.cos(np.tile(_angles(turn_deg), 2))), atol=1e-3
        )


def test_pixels_see_the_near_side(views: list[BodyView]) -> None:
    for view, size in zip(views, ((128, 64), (96, 48)), strict=True):
        assert view.fragments.depth.shape == size
        covered = view.fragments.covered
        corners = view.facing[_faces()[view.fragments.face_index[covered]]]
        facing = (view.fragments.barycentric[covered] * corners).sum(axis=1)
        assert len(facing) > 300 and facing.min() > -0.01
