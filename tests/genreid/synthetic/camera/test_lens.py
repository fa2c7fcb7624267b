from __future__ import annotations

import numpy as np
import pytest

from genreid.synthetic.camera.lens import Lens

LENS = Lens(azimuth_deg=33.0, height_m=3.1, tilt_deg=17.0, focal_px=400.0, height_px=240, width_px=320)


def test_rays_go_where_points_are_seen() -> None:
    rays = LENS.rays()
    for row, column in ((10, 20), (120, 160), (200, 301)):
        point = np.array([0.0, LENS.height_m, 0.0]) + 7.3 * rays[row, column]
        u, v, depth = LENS.project(point[None])[0]
        assert (u, v) == pytest.approx((column + 0.5, row + 0.5))
        assert depth > 0


def test_the_picture_is_not_mirrored() -> None:
    """Street coordinates (p, y, q) with y up: p ahead means q to the right."""
    lens = Lens(azimuth_deg=0.0, height_m=2.0, tilt_deg=0.0, focal_px=400.0, height_px=240, width_px=320)
    ahead_right = lens.project(np.array([[10.0, 2.0, 1.0], [10.0, 3.0, 0.0]]))
    assert ahead_right[0, 0] > 160
    assert ahead_right[1, 1] < 120
