"""A person as a textured mesh: the posed body, the thickness of the clothes, and what hangs on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np
import torch

from genreid.body.body import BodyParameters
from genreid.synthetic import props
from genreid.synthetic.canvas import LIFT_STEP_M, SKIRT_PANEL, Canvas
from genreid.synthetic.identity import Identity
from genreid.synthetic.mannequin import Mannequin, drape, vertex_normals
from genreid.synthetic.noise import noise_field
from genreid.synthetic.poses import Pose
from genreid.synthetic.props import Prop, Rig
from genreid.synthetic.tailor import dress, needs_tail
from genreid.synthetic.turns import axis_angle, bone_turns

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


def dress_up(mannequin: Mannequin, identity: Identity) -> Dressed:
    """Paint the identity's canvas and read off what the vertices need of it."""
    canvas: Canvas = dress(identity)
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


def body_parameters(identity: Identity, root: np.ndarray, pose: Pose) -> BodyParameters:
    """The body's parameters, one row."""
    return BodyParameters(
        torch.from_numpy(axis_angle(root).astype(np.float32))[None],
        torch.from_numpy(pose.body_pose())[None],
        torch.from_numpy(identity.betas)[None],
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
    parameters = body_parameters(dressed.identity, root, pose)
    posed = mannequin.body.pose(parameters)
    skin = posed.vertices[0].numpy().astype(np.float32)
    rig = Rig(posed.joints[0].numpy().astype(np.float64), bone_turns(root, pose.turns), up)
    shape = drape(skin, mannequin.neighbour_start, mannequin.neighbours, dressed.loose, dressed.folds, 6)
    normals = vertex_normals(shape, mannequin.faces)
    shift = np.random.default_rng(crease_seed).integers(0, 256, 2)
    at = (np.rint(mannequin.uv * 1.0).astype(int) + shift) % 256
    crease = _CREASES[at[:, 1], at[:, 0]] * dressed.folds * (0.004 + 0.35 * dressed.lift_m)
    clothed = shape + normals * (dressed.lift_m + crease)[:, None]
    parts = _props(mannequin, dressed.identity, rig, clothed)
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


def _props(mannequin: Mannequin, identity: Identity, rig: Rig, clothed: np.ndarray) -> list[Prop]:
    """Everything that is not the body's own surface."""
    parts: list[Prop] = []
    middle = 0.5 * (SKIRT_PANEL[0] + SKIRT_PANEL[1])
    panels = ((SKIRT_PANEL[0], middle, *SKIRT_PANEL[2:]), (middle, SKIRT_PANEL[1], *SKIRT_PANEL[2:]))
    widths = _hip_widths(mannequin, rig, clothed)
    for garment, panel, extra in ((identity.bottom, panels[0], 0.004), (identity.outer, panels[1], 0.016)):
        if garment is not None and needs_tail(garment):
            opening = 1.3 * garment.open_m / 0.17
            top = 0.03 if garment.cut in ("skirt", "dress") else -0.02
            parts.append(
                props.hanging_cloth(
                    rig, panel, top, garment.hem_m, garment.ease_m + extra, garment.flare, opening, widths
                )
            )
    bag, head = identity.bag, identity.head
    back = clothed[mannequin.upper_back].mean(axis=0).astype(np.float64)
    if bag.kind == "backpack":
        parts.append(props.backpack(rig, back, bag.size))
    elif bag.kind == "shoulder":
        hip = clothed[mannequin.left_hip if bag.side > 0 else mannequin.right_hip].mean(axis=0)
        parts.append(props.hip_bag(rig, hip.astype(np.float64), bag.side, bag.size))
    elif bag.kind in ("tote", "shopping"):
        parts.extend(props.hand_bag(rig, bag.side, bag.size, bag.kind == "shopping"))
    if head.hair == "long":
        parts.append(props.long_hair(rig, 0.12))
    elif head.hair in ("ponytail", "bun") and head.hat != "beanie":
        parts.append(props.ponytail(rig, head.hair == "bun"))
    if head.hat == "cap":
        parts.append(props.visor(rig, (0.0, 0.72)))
    worn = identity.outer or identity.top
    if worn.collar == "hood":
        parts.append(props.hood(rig, back, (0.26, 0.42)))
    return parts


def _hip_widths(mannequin: Mannequin, rig: Rig, clothed: np.ndarray) -> np.ndarray:
    """(2,) width and depth of the clothed hips relative to the mean naked body."""
    pelvis = rig.turns[0]

    def span(points: np.ndarray, axis: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
        return float((points[a].mean(axis=0) - points[b].mean(axis=0)) @ axis)

    mean = mannequin.vertices
    x, z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    left, right, belly, seat = mannequin.left_hip, mannequin.right_hip, mannequin.belly, mannequin.seat
    return np.array(
        [
            span(clothed, pelvis[:, 0], left, right) / span(mean, x, left, right),
            span(clothed, pelvis[:, 2], belly, seat) / span(mean, z, belly, seat),
        ]
    )
