"""Which part of the body every vertex belongs to, so that skin, hair and clothes can be painted by region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreid.body.layout import JOINT_NAMES, JOINT_TO_PART, PART_NAMES

# The hairline seen from the side: (depth, height) in the head's own box, (0,0) = nape and chin level,
# (1,1) = forehead and crown. Hair grows above the line.
HAIRLINE_DEPTH = (0.0, 0.35, 0.5, 0.62, 0.85, 1.0)
HAIRLINE_HEIGHT = (0.12, 0.2, 0.45, 0.6, 0.8, 0.86)


def label_parts(
    template: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Index into `PART_NAMES` for every vertex.

    template (V,3) in T-pose (y up, facing +z); weights (V,24) skinning weights. A vertex belongs to the part whose
    joints move it most; the head is then cut into scalp and face along a hairline.
    """
    weight_of_part = np.zeros((len(weights), len(PART_NAMES)), np.float32)
    for joint, name in enumerate(JOINT_NAMES):
        side, _, stem = name.rpartition("_")
        part = JOINT_TO_PART[stem]
        column = PART_NAMES.index(part if part in PART_NAMES else f"{side}_{part}")
        weight_of_part[:, column] += weights[:, joint]
    labels = weight_of_part.argmax(axis=1).astype(np.uint8)
    labels[_on_scalp(template, labels == PART_NAMES.index("face"))] = PART_NAMES.index("scalp")
    return labels


def _on_scalp(template: NDArray[np.float32], on_head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) true where hair grows."""
    if not on_head.any():
        return on_head
    _, y, z = template.T
    top, chin = y[on_head].max(), y[on_head].min()
    upper = on_head & (y > chin + 0.75 * (top - chin))  # the skull alone: nose and chin stand out of its box
    back, front = z[upper].min(), z[upper].max()
    height = (y - chin) / (top - chin)
    hairline = np.interp((z - back) / (front - back), HAIRLINE_DEPTH, HAIRLINE_HEIGHT)
    return on_head & (height > hairline)
