"""The z-buffer against a triangle worked by hand and against a ray-caster (embreex through trimesh)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from genreid.body.body import Body, BodyParameters, load_body
from genreid.render.shading import image_points
from genreid.render.zbuffer import rasterise

ONE_FACE = np.array([[0, 1, 2]])


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body("open")


def test_a_triangle_worked_by_hand() -> None:
    # Corners (0,0), (4,0), (0,4): inside are the centres with u + v <= 4, and the slanted edge counts.
    points = np.array([[0, 0, 1], [4, 0, 2], [0, 4, 3]])
    seen = rasterise(points, ONE_FACE, 4, 5)
    expected = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], bool)
    np.testing.assert_array_equal(seen.covered, expected)
    # At the centre (u, v) = (1.5, 0.5) the weights are (1 - 2/4, 1.5/4, 0.5/4).
    np.testing.assert_allclose(seen.barycentric[0, 1], [0.5, 0.375, 0.125])
    assert seen.depth[0, 1] == pytest.approx(0.5 * 1 + 0.375 * 2 + 0.125 * 3)
    assert np.isposinf(seen.depth[~expected]).all()
    assert not seen.barycentric[~expected].any()


@pytest.mark.parametrize("corners", [[0, 1, 2], [0, 2, 1]])
def test_both_sides_of_a_triangle_are_drawn(corners: list[int]) -> None:
    points = np.array([[0, 0, 1], [4, 0, 1], [0, 4, 1]])
    assert rasterise(points, np.array([corners]), 4, 4).covered.sum() == 10


def test_the_nearer_triangle_hides_the_other_whatever_their_order() -> None:
    points = np.array([[0, 0, 5], [4, 0, 5], [0, 4, 5], [0, 0, 2], [4, 0, 2], [0, 4, 2]])
    assert (rasterise(points, np.array([[0, 1, 2], [3, 4, 5]]), 2, 2).face_index == 1).all()
    assert (rasterise(points, np.array([[3, 4, 5], [0, 1, 2]]), 2, 2).face_index == 0).all()


def test_two_triangles_leave_no_gap_between_them() -> None:
    rng = np.random.default_rng(0)
    corners = np.array([[-90.0, -90.0], [106.0, -90.0], [106.0, 106.0], [-90.0, 106.0]])
    for _ in range(50):
        square = np.ones((4, 3), np.float32)
        square[:, :2] = corners + rng.uniform(-60, 60, (4, 2))
        assert rasterise(square, np.array([[0, 1, 2], [0, 2, 3]]), 16, 16).covered.all()


def test_what_cannot_be_drawn_is_left_out() -> None:
    points = np.array([[0, 0, 1], [4, 0, 1], [0, np.nan, 1], [2, 0, 1], [np.inf, 3, 1], [900, 900, 1]])
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4], [5, 5, 5]])
    assert not rasterise(points, faces, 4, 4).covered.any()
    assert not rasterise(points, np.zeros((0, 3), int), 4, 4).covered.any()
    with pytest.raises(IndexError, match=r"name vertices 0\.\.6, there are 6"):
        rasterise(points, np.array([[0, 1, 6]]), 4, 4)


def _bodies(body: Body, num: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(3)
    parameters = BodyParameters(
        global_orient=torch.tensor([[np.pi, 0.0, 0.0]]) + 0.7 * torch.randn(num, 3, generator=rng),
        body_pose=0.25 * torch.randn(num, 69, generator=rng),
        betas=torch.randn(num, 10, generator=rng),
    )
    return body.pose(parameters).vertices


def test_silhouette_and_depth_equal_a_ray_casters(body: Body) -> None:
    height, width = 128, 64
    camera = torch.tensor([[0.9, 0.03, -0.02]]).expand(6, 3)
    for points in image_points(_bodies(body, 6), camera, np.full(6, height), np.full(6, width)):
        seen = rasterise(points, body.faces, height, width)

        mesh = trimesh.Trimesh(points, body.faces, process=False)
        caster = trimesh.ray.ray_pyembree.RayMeshIntersector(mesh, scale_to_box=False)
        v, u = np.mgrid[:height, :width] + 0.5
        origins = np.stack([u.ravel(), v.ravel(), np.full(u.size, -10.0)], axis=1)
        along = np.tile([0.0, 0.0, 1.0], (u.size, 1))
        hits, rays, _ = caster.intersects_location(origins, along, multiple_hits=False)
        depth = np.full(u.size, np.inf)
        depth[rays] = hits[:, 2]
        depth = depth.reshape(height, width)

        both, either = seen.covered & np.isfinite(depth), seen.covered | np.isfinite(depth)
        assert either.sum() > 500
        assert both.sum() / either.sum() >= 0.995
        # A ray that slips between two triangles by rounding may see the far side.
        apart = np.abs(seen.depth[both] - depth[both]) > 1e-3
        assert apart.mean() <= 0.002
