"""Rotations of one person's bones, compiled: a picture needs some dozens, too few for torch to be quick.

`genreid.body.rotations` has the conventions and the batched, differentiable versions; the tests hold the two
against each other.
"""

from __future__ import annotations

import cv2
import numba
import numpy as np

from genreid.body.layout import PARENTS

_PARENTS = np.array(PARENTS, dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def turn_about(axis: int, angle_deg: float) -> np.ndarray:
    """(3, 3) right-handed rotation about x, y or z."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((3, 3))
    matrix[axis, axis] = 1.0
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


@numba.njit(cache=True, nogil=True)
def after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """second · first, both (3, 3)."""
    product = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                product[i, j] += second[i, k] * first[k, j]
    return product


@numba.njit(cache=True, nogil=True)
def tilt_turn_roll(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    """R_x · R_y · R_z."""
    return after(turn_about(0, x_deg), after(turn_about(1, y_deg), turn_about(2, z_deg)))


@numba.njit(cache=True, nogil=True)
def axis_angles(turns: np.ndarray) -> np.ndarray:
    """(N, 3) axis-angle of rotations (N, 3, 3) well short of half a turn, as those of joints are."""
    angles = np.zeros((turns.shape[0], 3))
    for n in range(turns.shape[0]):
        turn = turns[n]
        x, y, z = turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]
        sine = 0.5 * np.sqrt(x * x + y * y + z * z)
        angle = np.arctan2(sine, 0.5 * (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1.0))
        scale = 0.5 if sine < 1e-6 else 0.5 * angle / sine
        angles[n, 0], angles[n, 1], angles[n, 2] = scale * x, scale * y, scale * z
    return angles


def axis_angle(turn: np.ndarray) -> np.ndarray:
    """(3,) axis-angle of any rotation (3, 3), half a turn included."""
    return cv2.Rodrigues(turn)[0][:, 0]


def bone_turns(root: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(24, 3, 3) rotation of every bone from the T-pose, given the root's and those of joints 1 to 23."""
    return _down_the_tree(np.concatenate([root[None], joints]), _PARENTS)


@numba.njit(cache=True, nogil=True)
def _down_the_tree(local: np.ndarray, parents: np.ndarray) -> np.ndarray:
    turns = local.copy()
    for joint in range(1, local.shape[0]):
        turns[joint] = after(turns[parents[joint]], local[joint])
    return turns
