"""The bodies that textures are taken off and drawn on, posed once and then turned as often as is asked.

B persons, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.render.shading import vertex_normals
from genreid.render.views import turn_bodies

_CLOTHES_M = 0.01


@dataclass(frozen=True)
class Bodies:
    """Bodies in clothes, as their images show them.

    vertices: (B, V, 3) float16, metres in the camera frame: right to a millimetre, and tens of thousands of
    them fit into memory. global_orient: (B, 3); camera: (B, 3); height_px, width_px: (B,) native sizes of the
    images.
    """

    vertices: Tensor
    global_orient: Tensor
    camera: Tensor
    height_px: np.ndarray
    width_px: np.ndarray

    @classmethod
    def pose(
        cls,
        body: Body,
        parameters: BodyParameters,
        camera: Tensor,
        height_px: np.ndarray,
        width_px: np.ndarray,
    ) -> Bodies:
        """Pose the bodies of images of these sizes (B,), each by itself: what shares a batch changes the last
        bits of a posed body, and a run that was resumed asks for others together."""
        posed = [
            body.pose(parameters.select(slice(row, row + 1))).vertices[0] for row in range(len(parameters))
        ]
        clothed = [_clothed(one, body.faces).half() for one in posed]
        vertices = torch.stack(clothed) if clothed else torch.zeros(0, len(body.template), 3).half()
        return cls(vertices, parameters.global_orient, camera, height_px, width_px)

    @classmethod
    def concatenate(cls, parts: Sequence[Bodies]) -> Bodies:
        """All persons of at least one part, in order."""
        return cls(
            torch.cat([part.vertices for part in parts]),
            torch.cat([part.global_orient for part in parts]),
            torch.cat([part.camera for part in parts]),
            np.concatenate([part.height_px for part in parts]),
            np.concatenate([part.width_px for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.vertices)

    @property
    def nbytes(self) -> int:
        return self.vertices.nbytes

    @property
    def seen(self) -> Tensor:
        """Vertices (B, V, 3) float32 as the images show them."""
        return self.vertices.float()

    def turned(self, yaw_deg: np.ndarray) -> Tensor:
        """The same, each body turned by its own angle (B,)."""
        turned = self.seen
        for row, angle in enumerate(torch.from_numpy(np.asarray(yaw_deg))):  # alone, as in `pose`
            one = slice(row, row + 1)
            turned[one] = turn_bodies(turned[one], self.global_orient[one], angle)
        return turned


def _clothed(vertices: Tensor, faces: np.ndarray) -> Tensor:
    """A body (V, 3) a little thicker, by what clothes add all over."""
    return vertices + _CLOTHES_M * torch.from_numpy(vertex_normals(vertices.numpy(), faces))
