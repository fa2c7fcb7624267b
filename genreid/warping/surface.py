"""From where on a body a hidden place may borrow its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from genreid.body.body import Body
from genreid.body.layout import PART_NAMES

_DEPTH = 0.35
_NUM_NEIGHBOURS = 1024
"""More than a whole face, which from behind has no seen neighbour nearer than the neck."""

_HAIRLINE_M = 0.015
"""So near the border of scalp and skin nobody knows which of the two a pixel shows."""
_APART_M = 0.3
"""Skin from the hairline, and the hairline from hair."""


@dataclass(frozen=True)
class Surface:
    """The vertices of a body in the order in which each would borrow from the others. V vertices, K of them.

    neighbour: (V, K) int32, nearest first, a vertex before all others itself. distance_m: (V, K) float32.
    hair: (V,) bool, what is surely hair, so without the hairline. Distances are those of the template's
    T-pose, folded: left upon right, because people are dressed alike on both sides, and depth counts a third
    of the other directions, so that a back borrows from the chest before it borrows from the hip. Hair is
    apart from skin, so that the back of a head borrows from its crown and not from the face, and a face from
    the neck.
    """

    neighbour: np.ndarray
    distance_m: np.ndarray
    hair: np.ndarray

    @classmethod
    def of(cls, body: Body) -> Surface:
        """Takes a second; the same for every image."""
        hair, skin = _hair_and_skin(body)
        folded = body.template * np.array([1.0, 1.0, _DEPTH], np.float32)
        folded[:, 0] = np.abs(folded[:, 0])
        folded = np.column_stack([folded, _APART_M * (hair.astype(np.float32) - skin)])
        num = min(_NUM_NEIGHBOURS, len(folded))
        distance, neighbour = cKDTree(folded).query(folded, k=num)
        shape = len(folded), num
        return cls(
            neighbour.reshape(shape).astype(np.int32), distance.reshape(shape).astype(np.float32), hair
        )


def _hair_and_skin(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """(V,) bool both: the scalp, and what is no scalp, without the hairline between them."""
    scalp = body.part_labels == PART_NAMES.index("scalp")
    if scalp.all() or not scalp.any():
        return scalp, ~scalp
    far = [cKDTree(body.template[kind]).query(body.template)[0] > _HAIRLINE_M for kind in (~scalp, scalp)]
    return scalp & far[0], ~scalp & far[1]
