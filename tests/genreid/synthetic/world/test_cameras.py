from __future__ import annotations

import numpy as np

from genreid.synthetic.world.cameras import build_camera, usual_heading_deg, view_of


def test_a_camera_sees_its_spots_and_its_usual_heading() -> None:
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
    heading = np.degrees(np.arctan2(camera.usual_way * np.sin(walk), -camera.usual_way * np.cos(walk)))
    assert abs((heading - usual_heading_deg(2, 2) + 180) % 360 - 180) < 1.0
