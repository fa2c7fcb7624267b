"""Light on a person, pixel by pixel: texture, sky, sun with cast shadows, and darkening in creases."""

from __future__ import annotations

import numba
import numpy as np

from genreid.render.zbuffer import Fragments
from genreid.synthetic.figure.figure import Figure
from genreid.synthetic.noise import noise_field
from genreid.synthetic.picture.light import Illumination
from genreid.synthetic.picture.shadows import SHADOW_REACH_M, ShadowMap

_FOLDS = noise_field(512, 512, 15.0, 3, 3)
_RING = np.array(
    [
        (np.cos(a) * r, np.sin(a) * r)
        for r, n, o in ((0.5, 4, 0.4), (1.0, 6, 0.0))
        for a in np.arange(n) * 2 * np.pi / n + o
    ]
)


def shade(
    figure: Figure,
    faces: np.ndarray,
    fragments: Fragments,
    light: Illumination,
    shadow: ShadowMap | None,
    scale_px: float,
    fold_shift: int,
) -> np.ndarray:
    """(H, W, 3) float32 linear light of the pixels that see the person; zeros elsewhere.

    Args:
        faces: the triangles that were drawn to give `fragments`.  scale_px: pixels per metre.
        fold_shift: where the finest folds of the cloth fall.
    """
    height, width = fragments.face_index.shape
    out = np.zeros((height, width, 3), dtype=np.float32)
    ring = np.rint(_RING * 0.075 * scale_px).astype(np.int32)
    _shade(
        fragments.face_index,
        fragments.barycentric,
        fragments.depth,
        faces,
        figure.vertices,
        figure.normals,
        figure.uv,
        figure.side,
        figure.texture,
        _FOLDS,
        fold_shift,
        ring,
        Illumination(*(part.astype(np.float32) for part in light)),
        np.zeros((0, 0), np.float32) if shadow is None else shadow.depth,
        np.eye(3, dtype=np.float32) if shadow is None else shadow.axes.astype(np.float32),
        figure.foot_m,
        out,
    )
    return out


@numba.njit(cache=True, nogil=True)
def _shade(
    face_index: np.ndarray,
    barycentric: np.ndarray,
    depth: np.ndarray,
    faces: np.ndarray,
    vertices: np.ndarray,
    normals: np.ndarray,
    uv: np.ndarray,
    side: np.ndarray,
    texture: np.ndarray,
    folds: np.ndarray,
    fold_shift: int,
    ring: np.ndarray,
    light: Illumination,
    shadow: np.ndarray,
    shadow_axes: np.ndarray,
    foot: float,
    out: np.ndarray,
) -> None:
    height, width = face_index.shape
    sun, sun_rgb, sky_rgb, ground_rgb, up = light
    point, normal, colour = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(4, np.float32)
    for row in range(height):
        for column in range(width):
            face = face_index[row, column]
            if face < 0:
                continue
            u, v, page_side = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for c in range(3):
                point[c] = 0.0
                normal[c] = 0.0
            for k in range(3):
                vertex, weight = faces[face, k], barycentric[row, column, k]
                u += weight * uv[vertex, 0]
                v += weight * uv[vertex, 1]
                page_side += weight * side[vertex]
                for c in range(3):
                    point[c] += weight * vertices[vertex, c]
                    normal[c] += weight * normals[vertex, c]
            size = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) + 1e-9
            flip = -1.0 if normal[2] > 0.0 else 1.0
            for c in range(3):
                normal[c] *= flip / size
            _sample(texture[0 if page_side >= 0.0 else 1], float(u), float(v), colour)
            fold = folds[int(v * 1.3 + fold_shift) % 512, int(u * 1.3 + 2 * fold_shift) % 512] - 0.5
            cloth = colour[3]
            sky_share = _openness(depth, row, column, ring)
            rise = point[0] * up[0] + point[1] * up[1] + point[2] * up[2] - foot
            sky_share *= 0.72 + 0.28 * min(1.0, rise / 0.6)
            lift = normal[0] * up[0] + normal[1] * up[1] + normal[2] * up[2]
            lift = min(1.0, max(-1.0, lift + 0.9 * cloth * fold))
            facing = normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2] + 0.7 * cloth * fold
            direct = np.float32(0.0)
            if facing > 0.0 and shadow.shape[0] > 0:
                direct = min(facing, 1.0) * _reached(shadow, shadow_axes, point, normal)
            for c in range(3):
                ambient = sky_rgb[c] * (0.56 + 0.44 * lift) + ground_rgb[c] * (0.5 - 0.5 * lift)
                out[row, column, c] = colour[c] * colour[c] * (ambient * sky_share + sun_rgb[c] * direct)


@numba.njit(cache=True, nogil=True)
def _sample(page: np.ndarray, u: float, v: float, colour: np.ndarray) -> None:
    """Bilinear colour in [0, 1] at a texture pixel."""
    u = min(max(u - 0.5, 0.0), page.shape[1] - 1.001)
    v = min(max(v - 0.5, 0.0), page.shape[0] - 1.001)
    i, j = int(u), int(v)
    fu, fv = u - i, v - j
    for c in range(4):
        top = page[j, i, c] * (1.0 - fu) + page[j, i + 1, c] * fu
        bottom = page[j + 1, i, c] * (1.0 - fu) + page[j + 1, i + 1, c] * fu
        colour[c] = (top * (1.0 - fv) + bottom * fv) / 255.0


@numba.njit(cache=True, nogil=True)
def _openness(depth: np.ndarray, row: int, column: int, ring: np.ndarray) -> float:
    """Share of the surroundings that is not in front of this pixel (screen-space ambient occlusion)."""
    height, width = depth.shape
    here, hidden = depth[row, column], 0.0
    for k in range(ring.shape[0]):
        r, c = row + ring[k, 1], column + ring[k, 0]
        if 0 <= r < height and 0 <= c < width:
            gap = here - depth[r, c]
            if gap > 0.015:
                hidden += min(1.0, gap / 0.06) * max(0.0, 1.0 - max(0.0, gap - 0.15) / 0.35)
    return 1.0 - 0.75 * hidden / ring.shape[0]


@numba.njit(cache=True, nogil=True)
def _reached(shadow: np.ndarray, axes: np.ndarray, point: np.ndarray, normal: np.ndarray) -> float:
    """Share of sunlight that reaches a point, from four neighbouring texels."""
    size = shadow.shape[0]
    x, y, z = 0.0, 0.0, 0.0
    for c in range(3):
        at = point[c] + 0.02 * normal[c]
        x += axes[0, c] * at
        y += axes[1, c] * at
        z += axes[2, c] * at
    x = (x / SHADOW_REACH_M + 1.0) * 0.5 * size - 0.5
    y = (y / SHADOW_REACH_M + 1.0) * 0.5 * size - 0.5
    i, j = int(np.floor(x)), int(np.floor(y))
    if i < 0 or j < 0 or i + 1 >= size or j + 1 >= size:
        return 1.0
    light = 0.0
    for dj in range(2):
        for di in range(2):
            weight = (x - i if di else i + 1 - x) * (y - j if dj else j + 1 - y)
            if shadow[j + dj, i + di] > z - 0.03:
                light += weight
    return light
