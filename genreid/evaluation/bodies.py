"""The bodies of the images that `evaluate` looks at. N images of a part, H×W the training size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.body.rotations import heading_deg
from genreid.mesh.shards import MeshEstimates
from genreid.warping.images import WarpedImages


@dataclass(frozen=True)
class Bodies:
    """What an estimator found in N images.

    persons: cuts them out of their images. has_body: (N,) bool. heading_deg: (N,) float32, 0 faces the
    camera. waist: (N,) float32, where the pelvis stands, of the image's height, 0 at the top. has_mask: (N,)
    bool. Images without a body have any heading and waist.
    """

    persons: WarpedImages
    has_body: np.ndarray
    heading_deg: np.ndarray
    waist: np.ndarray
    has_mask: np.ndarray

    @classmethod
    def of(
        cls, persons: WarpedImages, meshes: MeshEstimates, height_px: np.ndarray, width_px: np.ndarray
    ) -> Bodies:
        """persons: of the same images, which have native sizes height_px, width_px (N,)."""
        scale, _, down = meshes.camera.numpy().T
        longer = np.maximum(height_px, width_px)
        return cls(
            persons,
            meshes.valid,
            heading_deg(meshes.parameters.global_orient).numpy(),
            0.5 + scale * down * longer / (2 * height_px.astype(np.float32)),
            np.array([mask is not None for mask in meshes.masks]),
        )


@dataclass(frozen=True)
class PairBodies:
    """Those of the queries, and of the gallery where they are known."""

    queries: Bodies
    gallery: Bodies | None
