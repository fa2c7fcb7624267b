"""Which part of the body every vertex belongs to, so that skin, hair and clothes can be painted by region."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from genreid.body.layout import JOINT_NAMES, JOINT_TO_PART, PART_NAMES

# The hairline seen from the side: (depth, height) in the head's own box, (0,0) = nape and chin level,
# (1,1) = forehead and crown. Hair grows above the line.
HAIRLINE_DEPTH = (0.0, 0.35, 0.5, 0.62, 0.85, 1.0)
HAIRLINE_HEIGHT = (0.12, 0.2, 0.45, 0.6, 0.8, 0.86)
EAR_TOP_HEIGHT = 0.6  # in the same box
WAIST_HEIGHT = 0.605  # of the stature: where trousers and skirts end
SMOOTHING_ROUNDS = 8


def label_parts(
    template: NDArray[np.float32], faces: NDArray[np.integer[Any]], weights: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Index into `PART_NAMES` for every vertex.

    template (V,3) in T-pose (y up, facing +z); faces (F,3); weights (V,24) skinning weights. A vertex belongs
    to the part whose joints move it most (smoothed along the surface, for borders without teeth); then the
    head is cut into scalp and face along a hairline, and the trunk into torso and hips at the waist.
    """
    weight_of_part = np.zeros((len(weights), len(PART_NAMES)), np.float32)
    for joint, name in enumerate(JOINT_NAMES):
        side, _, stem = name.rpartition("_")
        part = JOINT_TO_PART[stem]
        column = PART_NAMES.index(part if part in PART_NAMES else f"{side}_{part}")
        weight_of_part[:, column] += weights[:, joint]
    trunk = [PART_NAMES.index("torso"), PART_NAMES.index("hips")]
    weight_of_part[:, trunk[0]] += weight_of_part[:, trunk[1]]
    weight_of_part[:, trunk[1]] = 0

    labels = _smoothed(weight_of_part, faces).argmax(axis=1).astype(np.uint8)
    labels[_on_scalp(template, labels == PART_NAMES.index("face"))] = PART_NAMES.index("scalp")
    height = (template[:, 1] - template[:, 1].min()) / np.ptp(template[:, 1])
    labels[(labels == trunk[0]) & (height < WAIST_HEIGHT)] = trunk[1]
    return labels


def _smoothed(values: NDArray[np.float32], faces: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """(V,P) averaged with the neighbours along the mesh's edges, a few times over."""
    corners = np.concatenate([faces.ravel(), np.roll(faces, 1, axis=1).ravel()])
    others = np.concatenate([np.roll(faces, 1, axis=1).ravel(), faces.ravel()])
    ones = np.ones(len(corners), np.float32)
    ring = scipy.sparse.coo_matrix((ones, (corners, others)), shape=(len(values), len(values))).tocsr()
    share = np.maximum(np.asarray(ring.sum(axis=1)), 1)
    for _ in range(SMOOTHING_ROUNDS):
        values = (values + ring @ values / share) / 2
    return values


def _on_scalp(template: NDArray[np.float32], on_head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) true where hair grows."""
    if not on_head.any():
        return on_head
    x, y, z = template.T
    chin, crown = y[on_head].min(), y[on_head].max()
    height = (y - chin) / (crown - chin)
    skull = on_head & (height > 0.75)  # without nose and chin, which stand out in front
    back, front = z[skull].min(), z[skull].max()
    hairline = np.interp((z - back) / (front - back), HAIRLINE_DEPTH, HAIRLINE_HEIGHT)
    on_ear = np.abs(x) > 1.02 * np.abs(x[on_head & (height > EAR_TOP_HEIGHT)]).max()
    return on_head & (height > hairline) & ~on_ear
