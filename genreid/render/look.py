"""What a view of a posed body sees of it, and how it stands to the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.render.shading import vertex_normals
from genreid.render.zbuffer import Fragments


@dataclass(frozen=True)
class BodyView:
    """A posed body as one view sees it. V vertices.

    fragments: what the pixels see. points: (V, 3) [u_px, v_px, depth in metres]. facing: (V,) cosine between
    the surface's outward normal and the way to the camera.
    """

    fragments: Fragments
    points: np.ndarray
    facing: np.ndarray

    @classmethod
    def of(
        cls, fragments: Fragments, points: np.ndarray, vertices: np.ndarray, faces: np.ndarray
    ) -> BodyView:
        """vertices: (V, 3) in the camera frame, z away from the camera."""
        return cls(fragments, points, -vertex_normals(vertices, faces)[:, 2])
