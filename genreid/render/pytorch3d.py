"""pytorch3d as a rasteriser (Ravi et al. 2020, arXiv 2007.08501, section 3.2). The only import of it.

It is no dependency: whoever has a GPU builds it from source, and after a change of torch it may import and
not work, or not import for an undefined symbol. So it is tried, with a tiny picture, before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from genreid.render.zbuffer import Fragments

_NEAREST = 1.0  # pytorch3d draws positive depths only


class Pytorch3dRasteriser:
    """A `Rasteriser` on any device that pytorch3d was built for. Views of one size are drawn together."""

    name = "pytorch3d"

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def rasterise(
        self, points: np.ndarray, faces: np.ndarray, height_px: np.ndarray, width_px: np.ndarray
    ) -> Iterator[Fragments]:
        """See `Rasteriser`."""
        drawn: list[Fragments | None] = [None] * len(points)
        sizes = np.stack([height_px, width_px], axis=1)
        for height, width in np.unique(sizes, axis=0).tolist():
            rows = np.flatnonzero((sizes == (height, width)).all(axis=1))
            for row, fragments in zip(rows, self._one_size(points[rows], faces, height, width), strict=True):
                drawn[row] = fragments
        for one in drawn:
            assert one is not None
            yield one

    def _one_size(self, points: np.ndarray, faces: np.ndarray, height: int, width: int) -> list[Fragments]:
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes

        corners = _to_ndc(torch.from_numpy(points).to(self._device, torch.float32), height, width)
        triangles = torch.from_numpy(faces.astype(np.int64)).to(self._device)
        meshes = Meshes(corners, triangles.expand(len(points), -1, -1))
        index, depth, barycentric, _ = rasterize_meshes(
            meshes, image_size=(height, width), blur_radius=0.0, faces_per_pixel=1, perspective_correct=False
        )
        seen = index[..., 0]
        # Faces are numbered through all meshes of the batch.
        first = len(faces) * torch.arange(len(points), device=self._device)[:, None, None]
        seen = torch.where(seen >= 0, seen - first, seen).to(torch.int32)
        weights = torch.where(seen[..., None] >= 0, barycentric[..., 0, :], 0.0)
        nearest = points[..., 2].min(axis=1)[:, None, None] - _NEAREST
        depths = np.where(seen.cpu() >= 0, depth[..., 0].cpu().numpy() + nearest, np.inf)
        return [
            Fragments(*one)
            for one in zip(seen.cpu().numpy(), weights.cpu().numpy(), depths.astype(np.float32), strict=True)
        ]


def _to_ndc(points: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """[u_px, v_px, depth] → pytorch3d's device coordinates: x left, y up, ±1 at the edges of the shorter
    side, depth positive.
    """
    shorter = min(height, width)
    x = (width - 2 * points[..., 0]) / shorter
    y = (height - 2 * points[..., 1]) / shorter
    z = points[..., 2] - points[..., 2].amin(dim=1, keepdim=True) + _NEAREST
    return torch.stack([x, y, z], dim=2)


@lru_cache
def why_unusable(device: torch.device) -> str | None:
    """Why pytorch3d cannot draw on a device, in a few words; None where it can: a triangle was drawn."""
    points = np.array([[[1.0, 1.0, 0.0], [1.0, 3.0, 0.0], [5.0, 1.0, 0.0]]], np.float32)
    sizes = np.array([4]), np.array([8])
    try:
        (seen,) = Pytorch3dRasteriser(device).rasterise(points, np.array([[0, 1, 2]]), *sizes)
    except Exception as error:  # a broken build fails in any way: ImportError, OSError, RuntimeError …
        return (str(error).splitlines() or [""])[0] or type(error).__name__
    inside = np.argwhere(seen.covered).tolist()
    return None if inside == [[1, 1], [1, 2], [1, 3], [2, 1]] else "it draws a triangle wrongly"
