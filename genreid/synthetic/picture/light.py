"""The light on a person: what of sun and sky reaches the place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genreid.synthetic.background.rays import sunlit
from genreid.synthetic.world.cameras import Camera, View


class Illumination(NamedTuple):
    """Light where the person stands, linear, in the camera frame of the crop (a tuple, for compiled loops).

    Attributes:
        sun: (3,) unit vector towards the sun.  sun_rgb, sky_rgb, ground_rgb: (3,) its colour, the sky's,
            and what the ground throws back.  up: (3,).
    """

    sun: np.ndarray
    sun_rgb: np.ndarray
    sky_rgb: np.ndarray
    ground_rgb: np.ndarray
    up: np.ndarray


def light_at(camera: Camera, view: View, up: np.ndarray) -> Illumination:
    """Sun, sky and the ground's glow where the person stands, in the camera frame of the crop."""
    background, light = camera.background, camera.background.light
    right = np.array([-view.bearing[2], 0.0, view.bearing[0]])
    across, rise, ahead = light.sun @ right, light.sun[1], light.sun @ view.bearing
    c, s = np.cos(view.pitch_rad), np.sin(view.pitch_rad)
    sun = np.array([across, -rise * c - ahead * s, ahead * c - rise * s])
    lit = 0.0
    if light.sun_rgb[1] > 0.0:
        for height in (0.1, 0.9, 1.5):
            point = np.array([view.position[0], height, view.position[2]])
            lit += sunlit(point, light.sun, background.solids, background.crowns, background.walls) / 3.0
    zone = int(np.searchsorted(background.zone_edge, view.position[2]))
    glow = light.sky_rgb + lit * light.sun_rgb * max(0.0, rise)
    return Illumination(
        sun=sun,
        sun_rgb=lit * light.sun_rgb,
        sky_rgb=light.sky_rgb,
        ground_rgb=0.75 * background.zone_rgb[zone] * glow,
        up=up,
    )
