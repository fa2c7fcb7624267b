"""A z-buffer on the CPU: which triangle each pixel of an orthographic view sees, and where on it.

Under weak perspective every point of a body is scaled alike, so depth and barycentric coordinates are
affine in the image and need no perspective correction. Rows are pixels down, columns pixels right; pixel
(row r, column c) has its centre at v = r + 0.5, u = c + 0.5. Smaller depth is nearer. Both sides of a
triangle are drawn: for a closed surface the nearest one faces the camera anyway, and an open one (a skirt,
a strap) has no hole when seen from behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np


@dataclass(frozen=True)
class Fragments:
    """What each pixel of a view sees (H rows, W columns).

    Attributes:
        face_index: (H, W) int32, row of the nearest triangle in `faces`; -1 where there is none.
        barycentric: (H, W, 3) float32, weights of that triangle's three corners at the pixel's centre;
            they are not negative and sum to 1; zeros where there is no triangle.
        depth: (H, W) float32, interpolated depth; +inf where there is no triangle.
    """

    face_index: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """(H, W) bool: pixels that see the surface."""
        return self.face_index >= 0


def rasterise(points: np.ndarray, faces: np.ndarray, height_px: int, width_px: int) -> Fragments:
    """The nearest triangle at each pixel's centre.

    A centre that lies exactly on an edge belongs to both its triangles; among equal depths the triangle
    that comes first in `faces` is seen. Triangles with no area in the image, or with a corner that is not
    finite, are not drawn.

    Args:
        points: (V, 3) vertices as [u_px, v_px, depth].
        faces: (F, 3) integer corners.
        height_px, width_px: size of the view, at least 1.

    Raises:
        IndexError: a face names a vertex that is not there.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    faces = np.ascontiguousarray(faces, dtype=np.int32)
    if len(faces) and (faces.min() < 0 or faces.max() >= len(points)):
        raise IndexError(f"faces name vertices {faces.min()}..{faces.max()}, there are {len(points)}")
    depth = np.full((height_px, width_px), np.inf, dtype=np.float32)
    face_index = np.full((height_px, width_px), -1, dtype=np.int32)
    _fill(points, faces, depth, face_index)
    barycentric = np.zeros((height_px, width_px, 3), dtype=np.float32)
    _weigh(points, faces, face_index, barycentric)
    return Fragments(face_index=face_index, barycentric=barycentric, depth=depth)


@numba.njit(cache=True, nogil=True)
def _edge(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> float:
    """Twice the signed area of the triangle a, b, p."""
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)


@numba.njit(cache=True, nogil=True)
def _centres_between(low: float, high: float, num_pixels: int) -> tuple[float, float]:
    """First and last of the pixels whose centres lie in [low, high]; first > last, or NaN, when none does."""
    return max(np.ceil(low - 0.5), 0.0), min(np.floor(high - 0.5), num_pixels - 1.0)


@numba.njit(cache=True, nogil=True)
def _fill(points: np.ndarray, faces: np.ndarray, depth: np.ndarray, face_index: np.ndarray) -> None:
    """Depth test of every triangle on the pixels inside its bounding box.

    Most triangles of a body lie between pixel centres and end at the box: that is where the time goes.
    """
    height, width = depth.shape
    for face in range(len(faces)):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        # float64: a product of two differences of float32 numbers is then exact, and no crack opens
        # between two triangles that share an edge.
        ax, ay = np.float64(points[i, 0]), np.float64(points[i, 1])
        bx, by = np.float64(points[j, 0]), np.float64(points[j, 1])
        cx, cy = np.float64(points[k, 0]), np.float64(points[k, 1])
        left, right = _centres_between(min(ax, bx, cx), max(ax, bx, cx), width)
        if not left <= right:
            continue
        top, bottom = _centres_between(min(ay, by, cy), max(ay, by, cy), height)
        if not top <= bottom:
            continue
        area = _edge(ax, ay, bx, by, cx, cy)
        az, bz, cz = np.float64(points[i, 2]), np.float64(points[j, 2]), np.float64(points[k, 2])
        if area == 0.0 or not np.isfinite(area + az + bz + cz):
            continue
        sign = 1.0 if area > 0.0 else -1.0
        for row in range(int(top), int(bottom) + 1):
            for column in range(int(left), int(right) + 1):
                u, v = column + 0.5, row + 0.5
                wa = sign * _edge(bx, by, cx, cy, u, v)
                wb = sign * _edge(cx, cy, ax, ay, u, v)
                wc = sign * _edge(ax, ay, bx, by, u, v)
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                z = np.float32((wa * az + wb * bz + wc * cz) / (wa + wb + wc))
                if z < depth[row, column]:
                    depth[row, column] = z
                    face_index[row, column] = face


@numba.njit(cache=True, nogil=True)
def _weigh(points: np.ndarray, faces: np.ndarray, face_index: np.ndarray, barycentric: np.ndarray) -> None:
    """Barycentric weights of the triangles that won: once a pixel, not once a triangle tried."""
    height, width = face_index.shape
    for row in range(height):
        for column in range(width):
            if face_index[row, column] < 0:
                continue
            i, j, k = faces[face_index[row, column]]
            ax, ay = np.float64(points[i, 0]), np.float64(points[i, 1])
            bx, by = np.float64(points[j, 0]), np.float64(points[j, 1])
            cx, cy = np.float64(points[k, 0]), np.float64(points[k, 1])
            u, v = column + 0.5, row + 0.5
            wa = abs(_edge(bx, by, cx, cy, u, v))
            wb = abs(_edge(cx, cy, ax, ay, u, v))
            wc = abs(_edge(ax, ay, bx, by, u, v))
            total = wa + wb + wc
            barycentric[row, column, 0] = wa / total
            barycentric[row, column, 1] = wb / total
            barycentric[row, column, 2] = wc / total
