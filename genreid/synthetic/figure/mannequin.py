"""What the painter needs to know of a body before anybody wears it: where each vertex lies on the canvas."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch

from genreid.body.body import Body, BodyParameters
from genreid.synthetic.clothes.canvas import to_px


@dataclass(frozen=True)
class Mannequin:
    """A body of V vertices in mean shape and T-pose, pelvis at the origin.

    Attributes:
        body: the body that it stands for.
        vertices (V, 3): metres, x to the left, y up, z forward.
        faces (F, 3) int32.
        uv (V, 2) float32: texture pixels on the canvas.
        side (V,) float32: > 0 on the front page, < 0 on the back page.
        neighbour_start (V + 1,), neighbours: vertices that share an edge with each vertex (compressed rows).
        upper_back, left_hip, right_hip, seat, belly: vertices that bags and skirts hold on to.
    """

    body: Body
    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    side: np.ndarray
    neighbour_start: np.ndarray
    neighbours: np.ndarray
    upper_back: np.ndarray
    left_hip: np.ndarray
    right_hip: np.ndarray
    seat: np.ndarray
    belly: np.ndarray


def stand(body: Body) -> Mannequin:
    """The mannequin of a body."""
    rest = body.pose(BodyParameters(torch.zeros(1, 3), torch.zeros(1, 69), torch.zeros(1, 10)))
    vertices = rest.vertices[0].numpy().astype(np.float32)
    normals = vertex_normals(vertices, body.faces)
    x, y, _ = vertices.T
    near_hip = (y > -0.10) & (y < 0.0)

    start, neighbours = _neighbours(body.faces, len(vertices))

    def where(mask: np.ndarray) -> np.ndarray:
        return np.flatnonzero(mask)

    return Mannequin(
        body=body,
        vertices=vertices,
        faces=body.faces,
        uv=to_px(vertices[:, :2]).astype(np.float32),
        side=np.ascontiguousarray(normals[:, 2]),
        neighbour_start=start,
        neighbours=neighbours,
        upper_back=where((np.abs(x) < 0.09) & (y > 0.22) & (y < 0.40) & (normals[:, 2] < -0.7)),
        left_hip=where(near_hip & (normals[:, 0] > 0.9)),
        right_hip=where(near_hip & (normals[:, 0] < -0.9)),
        seat=where(near_hip & (normals[:, 2] < -0.8) & (np.abs(x) < 0.13)),
        belly=where(near_hip & (normals[:, 2] > 0.8) & (np.abs(x) < 0.1)),
    )


@numba.njit(cache=True, nogil=True)
def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, triangles weighted by area."""
    normals = np.zeros_like(vertices)
    for face in range(faces.shape[0]):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, az = (
            vertices[j, 0] - vertices[i, 0],
            vertices[j, 1] - vertices[i, 1],
            vertices[j, 2] - vertices[i, 2],
        )
        bx, by, bz = (
            vertices[k, 0] - vertices[i, 0],
            vertices[k, 1] - vertices[i, 1],
            vertices[k, 2] - vertices[i, 2],
        )
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in (i, j, k):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for vertex in range(normals.shape[0]):
        size = np.sqrt(normals[vertex, 0] ** 2 + normals[vertex, 1] ** 2 + normals[vertex, 2] ** 2) + 1e-12
        for c in range(3):
            normals[vertex, c] /= size
    return normals


def _neighbours(faces: np.ndarray, num_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Compressed rows of the mesh's edges."""
    pairs = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    pairs = np.unique(pairs, axis=0)
    start = np.searchsorted(pairs[:, 0], np.arange(num_vertices + 1))
    return start.astype(np.int32), pairs[:, 1].astype(np.int32)


@numba.njit(cache=True, nogil=True)
def drape(
    vertices: np.ndarray,
    start: np.ndarray,
    neighbours: np.ndarray,
    loose: np.ndarray,
    folds: np.ndarray,
    num_rounds: int,
) -> np.ndarray:
    """(V, 3) float32: the surface with its hollows bridged, as cloth does.

    Rounds of smoothing and of slight inflation in turn (Taubin 1995, section 3), so that limbs keep their
    girth.

    Args:
        loose: (L,) the vertices that move.  folds: (V,) how freely each does.
    """
    here, there = vertices.copy(), vertices.copy()
    for step in range(2 * num_rounds):
        strength = np.float32(0.65 if step % 2 == 0 else -0.55)
        for index in range(loose.shape[0]):
            vertex = loose[index]
            first, last = start[vertex], start[vertex + 1]
            weight = strength * folds[vertex]
            share = weight / np.float32(last - first)
            x, y, z = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for k in range(first, last):
                other = neighbours[k]
                x += here[other, 0]
                y += here[other, 1]
                z += here[other, 2]
            keep = np.float32(1.0) - weight
            there[vertex, 0] = keep * here[vertex, 0] + share * x
            there[vertex, 1] = keep * here[vertex, 1] + share * y
            there[vertex, 2] = keep * here[vertex, 2] + share * z
        here, there = there, here
    return here
