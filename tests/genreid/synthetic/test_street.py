from __future__ import annotations

import numpy as np
import pytest

from genreid.synthetic.cameras import build_camera, light_at, usual_heading_deg, view_of
from genreid.synthetic.raycast import hit_solid, sunlit
from genreid.synthetic.street import Lens

LENS = Lens(azimuth_deg=33.0, height_m=3.1, tilt_deg=17.0, focal_px=400.0, height_px=240, width_px=320)


def test_rays_go_where_points_are_seen():
    rays = LENS.rays()
    for row, column in ((10, 20), (120, 160), (200, 301)):
        point = np.array([0.0, LENS.height_m, 0.0]) + 7.3 * rays[row, column]
        u, v, depth = LENS.project(point[None])[0]
        assert (u, v) == pytest.approx((column + 0.5, row + 0.5))
        assert depth > 0


def test_the_picture_is_not_mirrored():
    """Street coordinates (p, y, q) with y up: p ahead means q to the right."""
    lens = Lens(azimuth_deg=0.0, height_m=2.0, tilt_deg=0.0, focal_px=400.0, height_px=240, width_px=320)
    ahead_right = lens.project(np.array([[10.0, 2.0, 1.0], [10.0, 3.0, 0.0]]))
    assert ahead_right[0, 0] > 160
    assert ahead_right[1, 1] < 120


def test_slabs_against_many_small_steps():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(250):
        solid = np.array([-0.5, 0.8, 0.2, 1.3, 2.0, 3.1, rng.uniform(-0.1, 0.3), rng.uniform(-0.1, 0.3)])
        origin = np.array([rng.uniform(-2, 2), rng.uniform(0, 3), 0.0])
        ray = np.array([rng.uniform(-0.4, 0.4), rng.uniform(-0.6, 0.2), 1.0])
        ray /= np.linalg.norm(ray)
        t = np.arange(0.0, 5.0, 0.002)
        p, y, q = (origin + t[:, None] * ray).T
        rise = y - solid[2]
        inside = (
            (y >= solid[2])
            & (y <= solid[3])
            & (p >= solid[0] + solid[6] * rise)
            & (p <= solid[1] - solid[6] * rise)
            & (q >= solid[4] + solid[7] * rise)
            & (q <= solid[5] - solid[7] * rise)
        )
        found, side = hit_solid(origin, ray, solid)
        if inside.any():
            hits += 1
            assert found == pytest.approx(t[inside.argmax()], abs=0.003)
            assert side >= 0
        else:
            assert found > 4.99
    assert hits > 30


def test_shadows_of_walls_and_boxes():
    sun = np.array([0.0, np.sin(np.radians(45)), np.cos(np.radians(45))])
    walls = np.array([-8.0, 6.0, 8.0, 6.0])
    no_crowns = np.zeros((0, 5))
    box = np.array([[-1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]])
    nothing = np.zeros((0, 8))

    def light(q, solids=nothing):
        return sunlit(np.array([0.0, 0.01, q]), sun, solids, no_crowns, walls)

    # A wall of 6 m throws 6 m of shadow at 45°.
    assert light(1.9) == 1.0
    assert light(2.1) == 0.0
    assert light(-0.5, box) == 0.0
    assert light(-1.5, box) == 1.0


def test_a_camera_sees_its_spots_and_its_usual_heading():
    camera = build_camera(2, 2, 288)
    view = view_of(camera, camera.spots[0], 0.95)
    assert 0 < view.centre_px[0] < camera.lens.width_px
    assert 0 < view.centre_px[1] < camera.lens.height_px
    # The plate's distance at the foot of each spot is what geometry says, unless something covers it.
    on_ground = np.column_stack([camera.spots[:, 0], np.zeros(len(camera.spots)), camera.spots[:, 1]])
    u, v, _ = camera.lens.project(on_ground).astype(int).T
    true = np.sqrt((camera.spots**2).sum(axis=1) + camera.lens.height_m**2)
    assert (np.abs(camera.plate.distance[v, u] / true - 1.0) < 0.02).mean() > 0.7
    # Whoever walks the usual way along the street has about the camera's usual heading.
    walk = np.radians(camera.lens.azimuth_deg)
    heading = np.degrees(np.arctan2(camera.with_street * np.sin(walk), -camera.with_street * np.cos(walk)))
    assert abs((heading - usual_heading_deg(2, 2) + 180) % 360 - 180) < 1.0


def test_light_in_the_crop_comes_from_the_same_sun():
    camera = build_camera(2, 2, 288)
    view = view_of(camera, camera.spots[3], 0.95)
    c, s = np.cos(view.pitch_rad), np.sin(view.pitch_rad)
    light = light_at(camera, view, up=np.array([0.0, -c, -s]))
    assert np.linalg.norm(light.sun) == pytest.approx(1.0)
    assert light.sun @ light.up == pytest.approx(camera.street.light.sun[1])
