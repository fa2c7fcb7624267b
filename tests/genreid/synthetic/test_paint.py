from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genreid.render.zbuffer import rasterise
from genreid.synthetic.contact_sheet import choose_rows, contact_sheet
from genreid.synthetic.figure import build, dress_up, visible_faces
from genreid.synthetic.mannequin import drape, vertex_normals
from genreid.synthetic.paint import Illumination, paint
from genreid.synthetic.poses import STAND, SWING, Pose
from genreid.synthetic.sensor import expose, sample_sensor
from genreid.synthetic.shadows import GroundView, ShadowMap, shadow_map, shadow_on_ground
from genreid.synthetic.turns import turn_about
from genreid.synthetic.wardrobe import sample_identity
from tests.genreid.synthetic.test_wardrobe import LOGO, SHIRT, someone

UP = np.array([0.0, -np.cos(0.3), -np.sin(0.3)])
T_POSE = Pose(np.tile(np.eye(3), (23, 1, 1)), STAND, SWING, SWING)
SUN = np.array([0.48, -0.8, -0.36])


@pytest.fixture(scope="module")
def figure(mannequin):
    root = turn_about(0, 180.0 + np.degrees(0.3))
    return build(mannequin, dress_up(mannequin, sample_identity(1, 2, 0.0)), root, T_POSE, UP, crease_seed=3)


def test_normals_point_outwards(mannequin):
    normals = vertex_normals(mannequin.vertices, mannequin.faces)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
    trunk = (np.abs(mannequin.vertices[:, 0]) < 0.12) & (np.abs(mannequin.vertices[:, 1] - 0.15) < 0.1)
    outward = mannequin.vertices[trunk][:, [0, 2]] - mannequin.vertices[trunk][:, [0, 2]].mean(axis=0)
    assert ((normals[trunk][:, [0, 2]] * outward).sum(axis=1) > 0).mean() > 0.95


def test_cloth_bridges_hollows_and_skin_stays(mannequin):
    loose = np.zeros(len(mannequin.vertices), np.float32)
    loose[np.abs(mannequin.vertices[:, 1] + 0.05) < 0.1] = 1.0
    moving = np.flatnonzero(loose).astype(np.int32)
    shape = drape(mannequin.vertices, mannequin.neighbour_start, mannequin.neighbours, moving, loose, 6)
    assert np.array_equal(shape[loose == 0], mannequin.vertices[loose == 0])

    def roughness(vertices):
        """Mean distance of a vertex from the middle of its neighbours."""
        start, near = mannequin.neighbour_start, mannequin.neighbours
        return np.mean(
            [
                np.linalg.norm(vertices[v] - vertices[near[start[v] : start[v + 1]]].mean(axis=0))
                for v in np.flatnonzero(loose)
            ]
        )

    assert roughness(shape) < 0.7 * roughness(mannequin.vertices)
    girth = [np.ptp(v[np.abs(v[:, 1]) < 0.03][:, 0]) for v in (shape, mannequin.vertices)]
    assert girth[0] == pytest.approx(girth[1], rel=0.04)


def test_the_shadow_on_the_ground_is_the_projection_along_the_sun(figure):
    foot = float((figure.vertices @ UP).min())
    scale, origin = 60.0, np.array([60.0, 60.0])
    shadow = shadow_on_ground(shadow_map(figure, SUN), GroundView(UP, foot, scale, origin, 128, 128))
    # Independent: move every vertex along the sun's rays down to the ground, and draw the triangles there.
    rise = figure.vertices @ UP - foot
    fallen = figure.vertices - (rise / (SUN @ UP))[:, None] * SUN
    points = np.column_stack([fallen[:, :2] * scale + origin, fallen[:, 2]])
    expected = rasterise(points, figure.faces, 128, 128).covered
    found = shadow > 0.5
    assert expected.sum() > 300
    assert (found & expected).sum() / (found | expected).sum() > 0.85


def test_sun_lights_its_own_side(figure):
    points = np.column_stack([figure.vertices[:, :2] * 60 + 64, figure.vertices[:, 2]])
    fragments = rasterise(points, figure.faces, 128, 128)
    light = Illumination(np.array([0.9, -0.3, -0.3]), np.ones(3), 0.2 * np.ones(3), np.zeros(3), UP)
    shadow = shadow_map(figure, light.sun)
    lit = paint(figure, figure.faces, fragments, light, shadow, 60.0, 1)
    assert (lit[~fragments.covered] == 0).all()
    # The trunk's left half of the picture turns away from a sun on the right.
    trunk = fragments.covered & (np.arange(128)[:, None] > 45) & (np.arange(128)[:, None] < 70)
    left = lit[trunk & (np.arange(128)[None] < 62) & (np.arange(128)[None] > 50)].mean()
    right = lit[trunk & (np.arange(128)[None] > 66) & (np.arange(128)[None] < 78)].mean()
    assert right > 1.3 * left
    buried = ShadowMap(np.full_like(shadow.depth, -10.0), shadow.axes)
    dark = paint(figure, figure.faces, fragments, light, buried, 60.0, 1)
    assert dark.sum() < 0.6 * lit.sum()


def test_front_and_back_of_a_print_differ(mannequin):
    dressed = dress_up(mannequin, someone(top=replace(SHIRT, back=LOGO)))
    chest = []
    for turn in (0.0, 180.0):
        root = turn_about(0, 180.0) @ turn_about(1, turn)
        posed = build(mannequin, dressed, root, T_POSE, np.array([0.0, -1.0, 0.0]), 3)
        points = np.column_stack([posed.vertices[:, :2] * 60 + 64, posed.vertices[:, 2]])
        fragments = rasterise(points, posed.faces, 128, 128)
        light = Illumination(
            np.array([0.0, -1.0, 0.0]), np.zeros(3), np.ones(3), np.ones(3), np.array([0.0, -1.0, 0.0])
        )
        colour = paint(posed, posed.faces, fragments, light, None, 60.0, 1)
        # y = 0.27 m above the pelvis, 0.05 m aside of the middle.
        chest.append(colour[47:50, 66:68].mean(axis=(0, 1)))
    front, back = chest
    assert back[0] > 2.5 * back[1]
    assert front[0] < 1.5 * front[1]


def test_noise_depends_on_the_seed_and_not_on_the_picture():
    sensor = sample_sensor(np.random.default_rng(5))
    grey = np.full((64, 32, 3), 0.4, np.float32)
    dot = grey.copy()
    dot[40:44, 10:14] = 0.8
    first, again = (expose(grey, sensor, 1.0, np.random.default_rng(9)) for _ in range(2))
    other = expose(grey, sensor, 1.0, np.random.default_rng(10))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    with_dot = expose(dot, sensor, 1.0, np.random.default_rng(9))
    assert np.abs(with_dot[:24].astype(int) - first[:24]).max() <= 2


def test_contact_sheet_places_pictures():
    red, blue = (np.full((64, 32, 3), rgb, np.uint8) for rgb in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[red, None], [blue, red]], cell_height_px=64, gap_px=4)
    assert sheet.shape == (2 * 68 + 4, 2 * 36 + 4, 3)
    assert (sheet[4:68, 4:36] == (255, 0, 0)).all()
    assert (sheet[4:68, 40:72] == 250).all()
    assert (sheet[72:136, 4:36] == (0, 0, 255)).all()


def test_rows_of_the_sheet_are_the_most_seen(benchmark_64):
    rows = choose_rows(benchmark_64.shots, 3)
    assert [len(row) for row in rows] == [3, 3, 3]
    counts = {}
    for shot in benchmark_64.shots:
        if shot.person_id > 0:
            counts.setdefault(shot.person_id, set()).add(shot.camera_id)
    best = sorted((len(c) for c in counts.values()), reverse=True)[:3]
    assert sorted((sum(s is not None for s in row) for row in rows), reverse=True) == best
    for row in rows:
        assert [s.camera_id for s in row if s] == [k for k, s in enumerate(row, 1) if s]


def test_what_turns_away_is_not_missed(figure):
    points = np.column_stack([figure.vertices[:, :2] * 60 + 64, figure.vertices[:, 2]])
    every, some = rasterise(points, figure.faces, 128, 128), visible_faces(figure, points)
    assert len(some) < 0.7 * len(figure.faces)
    assert np.array_equal(rasterise(points, some, 128, 128).depth, every.depth)
