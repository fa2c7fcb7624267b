"""Which pixels of two views show the same surface: against rays and turns worked out by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from genreid.body.body import Body, BodyParameters, load_body
from genreid.body.rotations import axis_angle_to_matrix, rotate_about_vertical
from genreid.errors import GenreidError
from genreid.render.backend import choose_renderer
from genreid.render.correspondence import BodyView, Correspondence, decode_source, encode_source, find
from genreid.render.matching import match_views, with_matches
from genreid.render.views import ViewStore, render_views, view_table, write_options
from genreid.render.zbuffer import rasterise

RENDERER = choose_renderer("zbuffer", torch.device("cpu"))
SIZE = np.array([128]), np.array([64])

Person = tuple[BodyParameters, torch.Tensor]


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body("open")


@pytest.fixture(scope="module")
def person() -> Person:
    root = rotate_about_vertical(torch.tensor([[np.pi, 0.0, 0.0]]), 20.0)
    pose = torch.zeros(1, 23, 3)
    pose[0, 15, 2], pose[0, 16, 2] = -1.1, 1.1
    return BodyParameters(root, pose.reshape(1, 69), torch.zeros(1, 10)), torch.tensor([[0.95, 0.0, 0.1]])


def _match(body: Body, person: Person, *yaws: int) -> list[Correspondence]:
    (found,) = match_views(body, *person, *SIZE, yaws, RENDERER)
    return found


def _cylinder(radius_m: float, yaw_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (z away from the camera) and outward faces of an upright tube, turned to the right seen from
    the camera."""
    angle = np.radians(np.arange(0, 360, 3) + yaw_deg)
    ring = np.stack([radius_m * np.sin(angle), np.zeros_like(angle), -radius_m * np.cos(angle)], axis=1)
    down = np.array([0.0, 1.0, 0.0])
    vertices = np.concatenate([ring - down, ring + down]).astype(np.float32)
    num = len(angle)
    i = np.arange(num)
    j = (i + 1) % num
    faces = np.concatenate([np.stack([i, i + num, j], 1), np.stack([j, i + num, j + num], 1)])
    return vertices, faces.astype(np.int32)


def _view_of_cylinder(yaw_deg: float) -> tuple[BodyView, np.ndarray]:
    vertices, faces = _cylinder(0.2, yaw_deg)
    points = vertices.copy()
    points[:, :2] = points[:, :2] * 100 + [32, 64]
    return BodyView.of(rasterise(points, faces, 128, 64), points, vertices, faces), faces


def test_a_turned_tube_shows_what_trigonometry_says() -> None:
    """At 100 px/m and radius 20 px, column u of the turned view is at angle asin((u−32)/20), and 40° less in
    the own one."""
    (own, faces), (turned, _) = _view_of_cylinder(0), _view_of_cylinder(40)
    source = find(turned, own, faces)[64]
    for column in range(64):
        offset = (column + 0.5 - 32) / 20
        if abs(offset) > 0.97:
            continue
        angle = np.degrees(np.arcsin(offset)) - 40
        if angle > -78:  # well within what faces the camera
            expected = 32 + 20 * np.sin(np.radians(angle))
            assert source[column, 0] == pytest.approx(expected, abs=0.3), column
            assert source[column, 1] == pytest.approx(64.5, abs=0.05)
        elif angle < -84:
            assert np.isnan(source[column]).all(), column


def test_what_stands_before_hides_what_is_behind() -> None:
    """A small plate before a large one, and the same two seen from where the small one is aside."""
    large = np.array([[-0.3, -0.3, 0.0], [0.3, -0.3, 0.0], [0.3, 0.3, 0.0], [-0.3, 0.3, 0.0]])
    small = large / 3 - [0.0, 0.0, 0.5]
    vertices = np.concatenate([large, small]).astype(np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]], np.int32)

    def view(shift: float) -> BodyView:
        moved = vertices.copy()
        moved[4:, 0] += shift
        points = moved.copy()
        points[:, :2] = points[:, :2] * 40 + 32
        return BodyView.of(rasterise(points, faces, 64, 64), points, moved, faces)

    own, other = view(0.0), view(0.6)
    hidden = np.isnan(find(other, own, faces)[..., 0]) & other.fragments.covered
    behind_small = np.zeros((64, 64), bool)
    behind_small[28:36, 28:36] = True
    assert (hidden == behind_small).mean() > 0.99
    assert hidden.sum() == 64


def test_the_own_view_matches_itself_pixel_by_pixel(body: Body, person: Person) -> None:
    (same,) = _match(body, person, 0)
    rows, columns = np.nonzero(np.isfinite(same.source[..., 0]))
    centres = np.stack([columns, rows], axis=1) + 0.5
    np.testing.assert_allclose(same.source[rows, columns], centres, atol=1e-3)
    ((view,),) = render_views(body, *person, *SIZE, (0,), RENDERER)
    assert np.isfinite(same.source[..., 0]).sum() > 0.85 * (view > 0).sum(), "all but what is seen aslant"


def test_the_smaller_the_turn_the_more_both_show(body: Body, person: Person) -> None:
    yaws_deg = (45, 90, 135, 180)
    (views,) = render_views(body, *person, *SIZE, yaws_deg, RENDERER)
    matches = _match(body, person, *yaws_deg)
    on_body = [
        np.isfinite(match.source[..., 0]) & (view > 0) for match, view in zip(matches, views, strict=True)
    ]
    shares = [mask.sum() for mask in on_body]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 5 * shares[2] > 0 and shares[3] < 0.01 * shares[0]


def test_the_street_stays_where_it_is(body: Body, person: Person) -> None:
    """Outside both bodies every pixel is its own match, but for those beside a body, where clothes may be."""
    (match,) = _match(body, person, 90)
    ((own, turned),) = render_views(body, *person, *SIZE, (0, 90), RENDERER)
    apart = cv2.distanceTransform(((own == 0) & (turned == 0)).astype(np.uint8), cv2.DIST_L2, 5)
    beside, street = (apart > 0) & (apart < 5), apart > 9
    assert not np.isfinite(match.source[beside]).any()
    assert not match.shared[beside & (own == 0)].any()
    rows, columns = np.nonzero(street)
    assert len(rows) > 1000
    np.testing.assert_array_equal(match.source[street], np.stack([columns, rows], axis=1) + 0.5)
    assert match.shared[street].all()


def test_a_vertex_in_both_views_is_matched_where_it_is_projected(body: Body, person: Person) -> None:
    """The mesh of the face's side, projected by the camera's formula in both views."""
    parameters, camera = person
    (match,) = _match(body, person, 45)
    posed = body.pose(parameters).vertices[0]
    root = axis_angle_to_matrix(parameters.global_orient)[0]
    turned_root = axis_angle_to_matrix(rotate_about_vertical(parameters.global_orient, 45.0))[0]
    turned = posed @ root @ turned_root.T
    scale = 64 * camera[0, 0]
    own, other = (
        (vertices[:, :2] + camera[0, 1:]) * scale + torch.tensor([32.0, 64.0]) for vertices in (posed, turned)
    )
    agreed = 0
    for place, target in zip(other.numpy(), own.numpy(), strict=True):
        column, row = int(place[0]), int(place[1])
        if not (0 <= column < 64 and 0 <= row < 128) or np.isnan(match.source[row, column, 0]):
            continue
        agreed += bool(np.abs(match.source[row, column] - target).max() < 1.5)
    assert agreed > 1500


def test_source_survives_its_png() -> None:
    source = np.random.default_rng(0).uniform(0, 60, (20, 10, 2)).astype(np.float32)
    source[3:5] = np.nan
    back = decode_source(encode_source(source))
    np.testing.assert_allclose(back, source, atol=1 / 32 + 1e-6)
    with pytest.raises(GenreidError, match="no picture of places"):
        decode_source(b"nothing")


def test_shards_bring_them_back_and_default_shards_have_none(
    body: Body, person: Person, tmp_path: Path
) -> None:
    yaws = (0, 90)
    (views,) = render_views(body, *person, *SIZE, yaws, RENDERER)
    plain = view_table([("a", views)], yaws, body.fingerprint)
    matches = _match(body, person, *yaws)
    pq.write_table(plain, tmp_path / "plain.parquet", **write_options(2))
    pq.write_table(
        with_matches(plain, {"a": matches}, yaws), tmp_path / "matched.parquet", **write_options(2)
    )

    store = ViewStore([tmp_path / "matched.parquet"])
    store.require_matches()
    np.testing.assert_array_equal(store.load("a", 90), views[1])
    back = store.load_match("a", 90)
    np.testing.assert_allclose(back.source, matches[1].source, atol=1 / 32 + 1e-5)
    np.testing.assert_array_equal(back.shared, matches[1].shared)
    with pytest.raises(GenreidError, match=r"render_views.matches: true.*render-views"):
        ViewStore([tmp_path / "plain.parquet"]).require_matches()
