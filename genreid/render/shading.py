"""The grey picture of a body that the structure encoder is shown.

Black background, a person between 40 and 255. Three cues make up the brightness: how far the surface
turns towards the camera (the shape of chest, back, face and feet), how far it turns up (shoulders and
thighs lifted in a step), and how near it is (the near leg of two that look alike). Surface colour has none.
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from torch import Tensor

from genreid.body.camera import project
from genreid.render.zbuffer import Fragments, rasterise

DARKEST = 40
"""Grey level of the darkest pixel of a person, so that shadow and background never look alike."""

_HEADLIGHT = 0.55
_FROM_ABOVE = 0.15
_NEARNESS = 0.30
_DEPTH_RANGE_M = 0.5


def grey_view(
    vertices: np.ndarray, camera: np.ndarray, faces: np.ndarray, height_px: int, width_px: int
) -> np.ndarray:
    """Draw one posed body.

    Args:
        vertices: (V, 3) in metres relative to the pelvis: x right, y down, z away from the camera.
        camera: (3,) weak perspective s, tx, ty (see `genreid.body.camera`).
        faces: (F, 3) integer corners, counter-clockwise seen from outside.
        height_px, width_px: size of the view.

    Returns:
        (height_px, width_px) uint8: 0 where there is nobody, at least `DARKEST` on the person.
    """
    height, width = np.array([height_px]), np.array([width_px])
    one = torch.as_tensor(vertices, dtype=torch.float32)[None]
    points = image_points(one, torch.as_tensor(camera, dtype=torch.float32)[None], height, width)[0]
    return paint(rasterise(points, faces, height_px, width_px), vertices, faces)


def paint(fragments: Fragments, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`grey_view` of a body of which it is known what each pixel sees."""
    light = _brightness(vertices, vertex_normals(vertices, faces))
    view = np.zeros(fragments.face_index.shape, dtype=np.uint8)
    _paint(view, fragments.face_index, fragments.barycentric, faces, light)
    return view


def image_points(vertices: Tensor, camera: Tensor, height_px: np.ndarray, width_px: np.ndarray) -> np.ndarray:
    """(N, V, 3) float32 [u_px, v_px, depth in metres] of bodies: what `rasterise` takes, one at a time.

    vertices (N, V, 3) in the camera frame; camera (N, 3); height_px, width_px (N,) sizes of the views.
    """
    height, width = torch.from_numpy(np.stack([height_px, width_px]).astype(np.int64))
    on_image = project(vertices, camera, height, width)
    return torch.cat([on_image, vertices[..., 2:]], dim=2).numpy()


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit outward normals: the mean of the faces around, weighted by their area.

    A vertex without a face, or in degenerate ones only, gets the zero vector.
    """
    return _sum_face_normals(
        np.ascontiguousarray(vertices, dtype=np.float32), np.ascontiguousarray(faces, dtype=np.int32)
    )


@numba.njit(cache=True, nogil=True)
def _sum_face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    normals = np.zeros_like(vertices)
    for face in range(len(faces)):
        first, second, third = faces[face, 0], faces[face, 1], faces[face, 2]
        ax = vertices[second, 0] - vertices[first, 0]
        ay = vertices[second, 1] - vertices[first, 1]
        az = vertices[second, 2] - vertices[first, 2]
        bx = vertices[third, 0] - vertices[first, 0]
        by = vertices[third, 1] - vertices[first, 1]
        bz = vertices[third, 2] - vertices[first, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in (first, second, third):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for vertex in range(len(normals)):
        x, y, z = normals[vertex]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0.0:
            normals[vertex] /= length
    return normals


@numba.njit(cache=True, nogil=True)
def _paint(
    view: np.ndarray, face_index: np.ndarray, barycentric: np.ndarray, faces: np.ndarray, light: np.ndarray
) -> None:
    for row in range(view.shape[0]):
        for column in range(view.shape[1]):
            face = face_index[row, column]
            if face >= 0:
                seen = 0.0
                for corner in range(3):
                    seen += barycentric[row, column, corner] * light[faces[face, corner]]
                view[row, column] = np.uint8(DARKEST + (255 - DARKEST) * seen + 0.5)


def _brightness(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(V,) in [0, 1] from the three cues."""
    headlight = np.maximum(0.0, -normals[:, 2])
    above = 0.5 - 0.5 * normals[:, 1]
    nearness = np.clip(0.5 - 0.5 * vertices[:, 2] / _DEPTH_RANGE_M, 0.0, 1.0)
    return _HEADLIGHT * headlight + _FROM_ABOVE * above + _NEARNESS * nearness
