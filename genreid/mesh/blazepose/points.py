"""Where BlazePose's landmarks are on a body in SMPL's layout: each hangs on a joint. B bodies.

The places were measured by least squares on drawn persons of known body (300 validation crops of the default
benchmark): where the landmarks of the heavy network fall in the image, both halves of the body alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genreid.body.layout import JOINT_NAMES, mirror_name
from genreid.mesh.blazepose.landmarks import LANDMARK_NAMES
from genreid.mesh.skeleton import Skeleton

# Landmark: the joint it is at, the joint in whose frame the offset turns, and the offset in mm, of the left
# half.
_PLACES: dict[str, tuple[str, str, tuple[int, int, int]]] = {
    "nose": ("head", "head", (0, 11, 96)),
    "left_eye_inner": ("head", "head", (15, 44, 72)),
    "left_eye": ("head", "head", (25, 45, 68)),
    "left_eye_outer": ("head", "head", (36, 45, 64)),
    "left_ear": ("head", "head", (51, 30, 17)),
    "left_mouth": ("head", "head", (16, -23, 78)),
    "left_shoulder": ("left_shoulder", "left_collar", (-25, 49, -6)),
    "left_elbow": ("left_elbow", "left_shoulder", (-12, -14, 10)),
    "left_wrist": ("left_wrist", "left_elbow", (3, -24, 4)),
    "left_pinky": ("left_hand", "left_wrist", (-34, -16, -11)),
    "left_index": ("left_hand", "left_wrist", (-29, -25, 19)),
    "left_thumb": ("left_hand", "left_wrist", (-54, -38, 22)),
    "left_hip": ("left_hip", "pelvis", (-23, -40, 26)),
    "left_knee": ("left_knee", "left_hip", (-9, -48, -5)),
    "left_ankle": ("left_ankle", "left_knee", (2, -7, 15)),
    "left_heel": ("left_ankle", "left_ankle", (-4, -83, -20)),
    "left_toes": ("left_foot", "left_ankle", (-2, -17, 28)),
}


def _place(name: str) -> tuple[int, int, tuple[float, ...]]:
    left = mirror_name(name) if name.startswith("right_") else name
    joint, frame, offset = _PLACES[left]
    side = -1 if name.startswith("right_") else 1
    if side < 0:
        joint, frame = mirror_name(joint), mirror_name(frame)
    metres = (side * offset[0] / 1000, offset[1] / 1000, offset[2] / 1000)
    return JOINT_NAMES.index(joint), JOINT_NAMES.index(frame), metres


_JOINTS, _FRAMES, _OFFSETS = (list(column) for column in zip(*map(_place, LANDMARK_NAMES), strict=True))


def landmark_points(skeleton: Skeleton, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 33, 3) the landmarks of posed bodies in metres, the pelvis at 0; and (B, 24, 3) their joints.

    rotations (B, 24, 3, 3), betas (B, 10): see `Skeleton.pose`.
    """
    joints, frames = skeleton.pose_with_frames(rotations, betas)
    offsets = torch.tensor(_OFFSETS, dtype=joints.dtype, device=joints.device)
    moved = (frames[:, _FRAMES] @ offsets[..., None])[..., 0]
    return joints[:, _JOINTS] + moved, joints
