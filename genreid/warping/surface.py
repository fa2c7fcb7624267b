"""From where on a body a hidden place may borrow its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from genreid.body.body import Body

_DEPTH = 0.35
_NUM_NEIGHBOURS = 256


@dataclass(frozen=True)
class Surface:
    """The vertices of a body in the order in which each would borrow from the others. V vertices, K of them.

    neighbour: (V, K) int32, nearest first, a vertex before all others itself. distance_m: (V, K) float32.
    Distances are those of the template's T-pose, folded: left upon right, because people are dressed alike on
    both sides, and depth counts a third of the other directions, so that a back borrows from the chest before
    it borrows from the hip.
    """

    neighbour: np.ndarray
    distance_m: np.ndarray

    @classmethod
    def of(cls, body: Body) -> Surface:
        """Takes half a second; the same for every image."""
        folded = body.template * np.array([1.0, 1.0, _DEPTH], np.float32)
        folded[:, 0] = np.abs(folded[:, 0])
        num = min(_NUM_NEIGHBOURS, len(folded))
        distance, neighbour = cKDTree(folded).query(folded, k=num)
        shape = len(folded), num
        return cls(neighbour.reshape(shape).astype(np.int32), distance.reshape(shape).astype(np.float32))
