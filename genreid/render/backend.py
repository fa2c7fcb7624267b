"""Who draws the grey views. A further backend is one file with a class that fits `Rasteriser`, named here.

The built-in z-buffer needs 1 to 2 ms of CPU a view. A GPU rasteriser (pytorch3d) is worth its trouble only
where there is a GPU: it has to be built from source, and on a CPU it takes seconds a view. Backends differ in
which triangle each pixel sees and in nothing else: projection and shading are the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from genreid.errors import GenreidError
from genreid.render import pytorch3d
from genreid.render.look import BodyView
from genreid.render.settings import BackendName
from genreid.render.shading import image_points, paint
from genreid.render.zbuffer import Fragments, rasterise


class Rasteriser(Protocol):
    """Says which triangle each pixel sees."""

    name: str

    def rasterise(
        self, points: np.ndarray, faces: np.ndarray, height_px: np.ndarray, width_px: np.ndarray
    ) -> Iterator[Fragments]:
        """N bodies, in their order, each in a view of its own size; see `zbuffer.rasterise`.

        points (N, V, 3) as `shading.image_points` gives them; faces (F, 3); height_px, width_px (N,).
        """
        ...


class ZBufferRasteriser:
    """The built-in one, on the CPU."""

    name = "zbuffer"

    def rasterise(
        self, points: np.ndarray, faces: np.ndarray, height_px: np.ndarray, width_px: np.ndarray
    ) -> Iterator[Fragments]:
        for one, height, width in zip(points, height_px, width_px, strict=True):
            yield rasterise(one, faces, int(height), int(width))


class Renderer:
    """Draws posed bodies as grey pictures.

    name: of the backend that does the work.
    """

    def __init__(self, rasteriser: Rasteriser) -> None:
        self._rasteriser = rasteriser
        self.name = rasteriser.name

    def draw(
        self,
        vertices: Tensor,
        camera: Tensor,
        faces: np.ndarray,
        height_px: np.ndarray,
        width_px: np.ndarray,
    ) -> list[np.ndarray]:
        """N posed bodies, N pictures (height, width) uint8 of their own sizes; see `shading.grey_view`.

        vertices (N, V, 3) in the camera frame; camera (N, 3); faces (F, 3); height_px, width_px (N,).
        """
        fragments = self.rasterise(vertices, camera, faces, height_px, width_px)
        return [paint(one, body, faces) for one, body in zip(fragments, vertices.cpu().numpy(), strict=True)]

    def rasterise(
        self,
        vertices: Tensor,
        camera: Tensor,
        faces: np.ndarray,
        height_px: np.ndarray,
        width_px: np.ndarray,
    ) -> Iterator[Fragments]:
        """Which triangle each pixel of N views sees; arguments as for `draw`."""
        points = image_points(vertices.detach().cpu(), camera.detach().cpu(), height_px, width_px)
        return self._rasteriser.rasterise(points, faces, height_px, width_px)

    def look(
        self,
        vertices: Tensor,
        camera: Tensor,
        faces: np.ndarray,
        height_px: np.ndarray,
        width_px: np.ndarray,
    ) -> list[BodyView]:
        """What N views of N posed bodies see; arguments as for `draw`."""
        vertices = vertices.detach().cpu()
        points = image_points(vertices, camera.detach().cpu(), height_px, width_px)
        fragments = self._rasteriser.rasterise(points, faces, height_px, width_px)
        seen = zip(fragments, points, vertices.numpy(), strict=True)
        return [BodyView.of(pixels, places, body, faces) for pixels, places, body in seen]


def choose_renderer(backend: BackendName, device: torch.device) -> Renderer:
    """The renderer of that name; `auto` is pytorch3d on a GPU where it works, and the z-buffer elsewhere.

    Raises:
        GenreidError: there is none of that name, or it does not work here.
    """
    if backend == "auto":
        on_gpu = device.type == "cuda" and pytorch3d.why_unusable(device) is None
        backend = "pytorch3d" if on_gpu else "zbuffer"
    if backend == "zbuffer":
        return Renderer(ZBufferRasteriser())
    if backend == "pytorch3d":
        if reason := pytorch3d.why_unusable(device):
            raise GenreidError(
                f"render_views.backend is pytorch3d, and it does not work on {device} ({reason}): build it "
                "for this torch as docs/bodies_and_meshes.md says, or choose zbuffer, which needs nothing"
            )
        return Renderer(pytorch3d.Pytorch3dRasteriser(device))
    raise GenreidError(
        f"no renderer is called {backend!r}: render_views.backend is one of auto, zbuffer, pytorch3d"
    )
