"""Shadows: what the sun sees of a person, and what is therefore missing from the ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from genreid.render.zbuffer import rasterise
from genreid.synthetic.figure.figure import Figure, visible_faces

SHADOW_REACH_M = 1.25
_SHADOW_PX = 128
_BLOB_PX, _BLOB_REACH_M = 64, 0.8


@dataclass(frozen=True)
class ShadowMap:
    """What the sun sees of a person.

    Attributes:
        depth: (S, S) along the sun's rays, +inf beside the person.
        axes: (3, 3) right, down and away of the sun's view as rows; it reaches `SHADOW_REACH_M` each way.
    """

    depth: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class GroundView:
    """How a crop sees the ground under a person.

    Attributes:
        up: (3,) against gravity in the camera frame.  foot_m: height of the soles from the pelvis (< 0).
        px_per_m, origin_px: scale, and the pixel of the pelvis.  height_px, width_px: of the crop.
    """

    up: np.ndarray
    foot_m: float
    px_per_m: float
    origin_px: np.ndarray
    height_px: int
    width_px: int

    def points(self) -> np.ndarray:
        """(3, 3) matrix that takes [column, row, 1] of a pixel to the point of the ground that it sees."""
        u0, v0 = self.origin_px
        x = np.array([1.0, 0.0, 0.5 - u0]) / self.px_per_m
        y = np.array([0.0, 1.0, 0.5 - v0]) / self.px_per_m
        z = (np.array([0.0, 0.0, self.foot_m]) - self.up[0] * x - self.up[1] * y) / self.up[2]
        return np.stack([x, y, z])

    def carry(self, picture: np.ndarray, axes: np.ndarray, reach_m: float, outside: float) -> np.ndarray:
        """(H, W) a square picture as it lies on the ground.

        Both the ground seen by a pixel and a texel seen from a point are affine, so it is one warp.

        Args:
            picture: (S, S) over ±`reach_m` along the two rows of `axes` (2, 3).
        """
        size = picture.shape[0]
        warp = 0.5 * size / reach_m * (axes @ self.points())
        warp[:, 2] += 0.5 * size - 0.5
        return cv2.warpAffine(
            picture,
            warp,
            (self.width_px, self.height_px),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=outside,
        )


def shadow_map(figure: Figure, sun: np.ndarray) -> ShadowMap:
    """The person seen from the sun; `sun` (3,) points towards it."""
    away = -sun / np.linalg.norm(sun)
    right = np.cross(figure.up, away)
    right = right / max(1e-6, float(np.linalg.norm(right)))
    axes = np.stack([right, np.cross(away, right), away])
    seen = figure.vertices @ axes.T.astype(np.float32)
    seen[:, :2] = (seen[:, :2] / SHADOW_REACH_M + 1.0) * (0.5 * _SHADOW_PX)
    return ShadowMap(rasterise(seen, visible_faces(figure, seen), _SHADOW_PX, _SHADOW_PX).depth, axes)


def shadow_on_ground(shadow: ShadowMap, ground: GroundView) -> np.ndarray:
    """(H, W) float32 share of sunlight that the person takes from the ground."""
    return ground.carry(np.isfinite(shadow.depth).astype(np.float32), shadow.axes[:2], SHADOW_REACH_M, 0.0)


def contact_shadow(figure: Figure, ground: GroundView) -> np.ndarray:
    """(H, W) float32 light that an even sky leaves on the ground: dark at the soles, fading outwards."""
    ahead = np.array([0.0, 0.0, 1.0]) - figure.up * figure.up[2]
    ahead = ahead / np.linalg.norm(ahead)
    axes = np.stack([np.cross(ahead, figure.up), ahead])
    dark = np.zeros((_BLOB_PX, _BLOB_PX), dtype=np.float32)
    _drop(figure.vertices, figure.up, ground.foot_m, axes, _BLOB_REACH_M, dark)
    core = cv2.GaussianBlur(np.minimum(dark, 2.0), (0, 0), 2.2)
    light = 1.0 - np.minimum(0.78, 0.55 * core + 0.9 * cv2.GaussianBlur(core, (0, 0), 6.0))
    return ground.carry(light, axes, _BLOB_REACH_M, 1.0)


@numba.njit(cache=True, nogil=True)
def _drop(
    vertices: np.ndarray, up: np.ndarray, foot_m: float, axes: np.ndarray, reach_m: float, dark: np.ndarray
) -> None:
    """Add to `dark` (S, S) what every vertex near the ground takes from the sky at its foot."""
    size = dark.shape[0]
    for index in range(vertices.shape[0]):
        x, y, z = vertices[index, 0], vertices[index, 1], vertices[index, 2]
        rise = x * up[0] + y * up[1] + z * up[2] - foot_m
        if rise < 0.5:
            u = ((x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2]) / reach_m + 1.0) * 0.5 * size
            v = ((x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]) / reach_m + 1.0) * 0.5 * size
            if 0.0 <= u < size and 0.0 <= v < size:
                dark[int(v), int(u)] += np.exp(-rise / 0.14)
