"""Who draws the grey views. A further backend is one file with a class that fits `Renderer`, named here.

The built-in z-buffer needs 1 to 2 ms of CPU a view. A GPU rasteriser (pytorch3d) is worth its trouble only
where there is a GPU: it has to be built from source, and on a CPU it takes seconds a view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from genreid.body.camera import project
from genreid.errors import GenreidError
from genreid.render.shading import shade


@dataclass(frozen=True)
class RenderSettings:
    """backend: `auto` takes the fastest one that this machine has, `zbuffer` the built-in one."""

    backend: Literal["auto", "zbuffer"]


class Renderer(Protocol):
    """Draws posed bodies as grey pictures."""

    name: str

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
        ...


class ZBufferRenderer:
    """The built-in one, on the CPU."""

    name = "zbuffer"

    def draw(
        self,
        vertices: Tensor,
        camera: Tensor,
        faces: np.ndarray,
        height_px: np.ndarray,
        width_px: np.ndarray,
    ) -> list[np.ndarray]:
        vertices = vertices.detach().cpu()
        sizes = torch.from_numpy(np.stack([height_px, width_px]).astype(np.int64))
        on_image = project(vertices, camera.detach().cpu(), sizes[0], sizes[1])
        points = torch.cat([on_image, vertices[..., 2:]], dim=2).numpy()
        bodies = vertices.numpy()
        return [
            shade(bodies[i], points[i], faces, int(height_px[i]), int(width_px[i]))
            for i in range(len(bodies))
        ]


_RENDERERS: dict[str, Callable[[], Renderer]] = {"zbuffer": ZBufferRenderer}


def choose_renderer(settings: RenderSettings) -> Renderer:
    """The renderer that the settings name.

    Raises:
        GenreidError: there is none of that name.
    """
    name = "zbuffer" if settings.backend == "auto" else settings.backend
    if name not in _RENDERERS:
        raise GenreidError(
            f"no renderer is called {name!r}: render_views.backend is one of auto, {', '.join(_RENDERERS)}"
        )
    return _RENDERERS[name]()
