"""Where a camera hangs and what its pixels see.

Street coordinates are metres [p along, y up, q across] with the camera above the origin. The camera looks
`azimuth_deg` away from the street's direction, so people who walk along the street show it mostly two
headings: that is what gives each camera its viewpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lens:
    """Where the camera hangs and how it looks.

    Attributes:
        azimuth_deg: angle from the street's direction to the viewing direction.
        height_m: above the ground.  tilt_deg: downwards.  focal_px: at the plate's size.
        height_px, width_px: size of the plate.
    """

    azimuth_deg: float
    height_m: float
    tilt_deg: float
    focal_px: float
    height_px: int
    width_px: int

    def axes(self) -> np.ndarray:
        """(3, 3): right, down and forward of the camera as rows, in street coordinates."""
        azimuth, tilt = np.radians(self.azimuth_deg), np.radians(self.tilt_deg)
        ahead = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
        right = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
        up = np.array([0.0, 1.0, 0.0])
        return np.stack(
            [right, -np.cos(tilt) * up - np.sin(tilt) * ahead, np.cos(tilt) * ahead - np.sin(tilt) * up]
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) street points to (N, 3) [u_px, v_px, metres in front of the lens]."""
        seen = (points - [0.0, self.height_m, 0.0]) @ self.axes().T
        centre = np.array([self.width_px / 2.0, self.height_px / 2.0])
        return np.column_stack([centre + self.focal_px * seen[:, :2] / seen[:, 2:], seen[:, 2]])

    def rays(self) -> np.ndarray:
        """(H, W, 3) unit directions of the pixels' centres, in street coordinates."""
        u = (np.arange(self.width_px) + 0.5 - self.width_px / 2.0) / self.focal_px
        v = (np.arange(self.height_px) + 0.5 - self.height_px / 2.0) / self.focal_px
        right, down, forward = self.axes()
        rays = u[None, :, None] * right + v[:, None, None] * down + forward
        return rays / np.linalg.norm(rays, axis=2, keepdims=True)


def sample_lens(
    rng: np.random.Generator, azimuth_deg: float, height_px: int, width_px: int
) -> tuple[Lens, float]:
    """A camera on a wall or a pole, and the distance in metres that it watches."""
    watched_m = rng.uniform(6.0, 9.5)
    height_m = rng.uniform(2.3, 3.8)
    tilt_deg = np.degrees(np.arctan2(height_m - 1.0, watched_m)) + rng.uniform(-2.0, 2.0)
    focal_px = height_px * rng.uniform(1.05, 1.5)
    return Lens(azimuth_deg, height_m, float(tilt_deg), float(focal_px), height_px, width_px), watched_m
