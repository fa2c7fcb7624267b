from __future__ import annotations

import numpy as np
import pytest

from genreid.synthetic.picture.light import light_at
from genreid.synthetic.world.cameras import build_camera, view_of


def test_light_in_the_crop_comes_from_the_same_sun() -> None:
    camera = build_camera(2, 2, 288)
    view = view_of(camera, camera.spots[3], 0.95)
    c, s = np.cos(view.pitch_rad), np.sin(view.pitch_rad)
    light = light_at(camera, view, up=np.array([0.0, -c, -s]))
    assert np.linalg.norm(light.sun) == pytest.approx(1.0)
    assert light.sun @ light.up == pytest.approx(camera.background.light.sun[1])
