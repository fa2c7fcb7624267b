"""A person as a textured mesh: the posed body, the thickness of the clothes, and what hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numba
import numpy as np
import torch

from genreid.body.body import BodyParameters
from genreid.body.poses import Pose
from genreid.body.turns import axis_angle, bone_turns
from genreid.synthetic.clothes.canvas import LIFT_STEP_M
from genreid.synthetic.clothes.tailor import dress
from genreid.synthetic.figure.mannequin import Mannequin, drape, vertex_normals
from genreid.synthetic.figure.props import props_of
from genreid.synthetic.figure.shapes import Rig
from genreid.synthetic.noise import noise_field
from genreid.synthetic.person.identity import Identity

_CREASES = noise_field(256, 256, 9.0, 19, 2) - 0.5


@dataclass(frozen=True)
class Dressed:
    """An identity ready to be posed.

    Attributes:
        texture: (2, H, W, 4) uint8: colour (square root of reflectance) and how much the cloth folds.
        lift_m: (V,) float32 distance of the clothes from the skin at each vertex.
        folds: (V,) float32, 0 skin to 1 loose cloth.  loose: the vertices where it is above 0.
    """

    identity: Identity
    texture: np.ndarray
    lift_m: np.ndarray
    folds: np.ndarray
    loose: np.ndarray


@dataclass(frozen=True)
class Figure:
    """A posed, dressed person in the camera frame (metres from the pelvis; N vertices, M triangles).

    Attributes:
        vertices (N, 3), normals (N, 3), uv (N, 2), side (N,): float32.  faces (M, 3) int32.
        texture: (2, H, W, 4) uint8 of `Dressed`.
        num_closed: of the triangles, the first ones, which enclose the body; props have two sides.
        parameters: of the body, one row.  up: (3,) against gravity.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    side: np.ndarray
    texture: np.ndarray
    num_closed: int
    parameters: BodyParameters
    up: np.ndarray

    @cached_property
    def foot_m(self) -> float:
        """Height of the lowest sole, from the pelvis (< 0)."""
        return float((self.vertices @ self.up).min())


def dress_up(mannequin: Mannequin, identity: Identity) -> Dressed:
    """Paint the identity's canvas and read off what the vertices need of it."""
    canvas = dress(identity)
    page = (mannequin.side < 0).astype(int)
    u, v = np.rint(mannequin.uv).astype(int).T
    smooth = np.stack([cv2.blur(page_lift, (7, 7)) for page_lift in canvas.lift])
    folds = canvas.texture[page, v, u, 3].astype(np.float32) / 255.0
    return Dressed(
        identity=identity,
        texture=canvas.texture,
        lift_m=smooth[page, v, u].astype(np.float32) * LIFT_STEP_M,
        folds=folds,
        loose=np.flatnonzero(folds > 0).astype(np.int32),
    )


def build(
    mannequin: Mannequin, dressed: Dressed, root: np.ndarray, pose: Pose, up: np.ndarray, crease_seed: int
) -> Figure:
    """Pose the person.

    Args:
        root: (3, 3) rotation of the pelvis, the camera's tilt within it.
        up: (3,) unit vector against gravity in the camera frame.
        crease_seed: where the clothes' folds fall in this picture.
    """
    rows = axis_angle(root).astype(np.float32), pose.body_pose(), dressed.identity.betas
    parameters = BodyParameters(*(torch.from_numpy(row)[None] for row in rows))
    posed = mannequin.body.pose(parameters)
    skin = posed.vertices[0].numpy().astype(np.float32)
    rig = Rig(posed.joints[0].numpy().astype(np.float64), bone_turns(root, pose.turns), up)
    shape = drape(skin, mannequin.neighbour_start, mannequin.neighbours, dressed.loose, dressed.folds, 6)
    normals = vertex_normals(shape, mannequin.faces)
    shift = np.random.default_rng(crease_seed).integers(0, 256, 2)
    at = (np.rint(mannequin.uv).astype(int) + shift) % 256
    crease = _CREASES[at[:, 1], at[:, 0]] * dressed.folds * (0.004 + 0.35 * dressed.lift_m)
    clothed = shape + normals * (dressed.lift_m + crease)[:, None]
    parts = props_of(mannequin, dressed.identity, rig, clothed)
    offsets = np.cumsum([len(clothed), *(len(p.vertices) for p in parts)])
    vertices = np.concatenate([clothed, *(p.vertices for p in parts)]).astype(np.float32)
    faces = np.concatenate(
        [mannequin.faces, *(p.faces + o for p, o in zip(parts, offsets[:-1], strict=True))]
    )
    faces = faces.astype(np.int32)
    return Figure(
        vertices=vertices,
        normals=vertex_normals(vertices, faces),
        faces=faces,
        uv=np.concatenate([mannequin.uv, *(p.uv for p in parts)]),
        side=np.concatenate([mannequin.side, *(p.side for p in parts)]),
        texture=dressed.texture,
        num_closed=len(mannequin.faces),
        parameters=parameters,
        up=up,
    )


def visible_faces(figure: Figure, points: np.ndarray) -> np.ndarray:
    """(K, 3) triangles worth drawing at `points` (N, 3) [u, v, depth]: the rest hides behind them."""
    return _towards(np.ascontiguousarray(points, dtype=np.float32), figure.faces, figure.num_closed)


@numba.njit(cache=True, nogil=True)
def _towards(points: np.ndarray, faces: np.ndarray, num_closed: int) -> np.ndarray:
    kept = np.empty_like(faces)
    count = 0
    for face in range(faces.shape[0]):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        ux, uy = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
        vx, vy = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1]
        if face >= num_closed or ux * vy - uy * vx < 0.0:
            kept[count, 0], kept[count, 1], kept[count, 2] = i, j, k
            count += 1
    return kept[:count]
