"""Joints of SMPL's layout (Loper et al. 2015), in their order, and the regions that a body is painted by."""

from __future__ import annotations

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
NUM_JOINTS = len(JOINT_NAMES)
NUM_BETAS = 10

PART_NAMES = (
    "scalp", "face", "neck", "torso", "hips", "left_upper_arm", "right_upper_arm", "left_forearm",
    "right_forearm", "left_hand", "right_hand", "left_thigh", "right_thigh", "left_shin", "right_shin",
    "left_foot", "right_foot",
)  # fmt: skip
# A joint's name without its side -> the part (without side) whose skin it moves.
JOINT_TO_PART = {
    "pelvis": "hips", "spine1": "torso", "spine2": "torso", "spine3": "torso", "collar": "torso",
    "neck": "neck", "head": "face", "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand",
    "hand": "hand", "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "foot",
}  # fmt: skip


def mirror_name(name: str) -> str:
    """The same joint or part of the other side; names without a side are their own mirror image."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name
