"""Images in, their persons from other sides out: the door of this room.

Source: docs/method.md, Views by warping. Beyond the paper, whose views are painted from codes alone. B
persons with bodies and weak-perspective cameras, each in an image and views of its own native size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.render.backend import Renderer
from genreid.render.shading import vertex_normals
from genreid.render.views import turn_bodies
from genreid.warping.mixing import Garment, in_anothers, mix_textures, shown_share
from genreid.warping.surface import Surface
from genreid.warping.texture import Texture, restrict_texture, take_texture
from genreid.warping.view import WarpedView, draw_view

_CLOTHES_M = 0.01


class Warper:
    """Takes persons' textures off images and draws them turned.

    body: whose parameters it is given; renderer: says which triangle each pixel sees.
    """

    def __init__(self, body: Body, renderer: Renderer) -> None:
        self._body, self._renderer = body, renderer
        self._surface = Surface.of(body)

    def textures(
        self,
        images: Sequence[np.ndarray],
        parameters: BodyParameters,
        camera: Tensor,
        masks: Sequence[np.ndarray | None] | None = None,
    ) -> list[Texture]:
        """The texture of each person.

        images: B of (h, w, 3) uint8 RGB; camera: (B, 3); masks: B of (h, w) uint8, how surely a pixel shows
        the person, of 255, or None.
        """
        if len(images) == 0:
            return []
        sizes = np.array([image.shape[:2] for image in images]).T
        bodies = self._clothed(self._body.pose(parameters).vertices)
        views = self._renderer.look(bodies, camera, self._body.faces, *sizes)
        known = masks if masks is not None else [None] * len(images)
        return [
            take_texture(image, view, self._surface, mask)
            for image, view, mask in zip(images, views, known, strict=True)
        ]

    def views(
        self,
        textures: Sequence[Texture],
        parameters: BodyParameters,
        camera: Tensor,
        height_px: np.ndarray,
        width_px: np.ndarray,
        yaw_deg: np.ndarray,
    ) -> list[WarpedView]:
        """Each person turned by its own angle: camera (B, 3); height_px, width_px, yaw_deg (B,).

        Angles are those of `genreid.render.views`: 0 is the image's own viewpoint.
        """
        if len(textures) == 0:
            return []
        turned = self._turned(parameters, yaw_deg)
        fragments = self._renderer.rasterise(turned, camera, self._body.faces, height_px, width_px)
        return [
            draw_view(texture, pixels, self._body.faces)
            for texture, pixels in zip(textures, fragments, strict=True)
        ]

    def mixtures(
        self,
        textures: Sequence[tuple[Texture, Texture]],
        share: Sequence[float | Garment],
        parameters: BodyParameters,
        camera: Tensor,
        height_px: np.ndarray,
        width_px: np.ndarray,
        yaw_deg: np.ndarray,
    ) -> list[tuple[WarpedView, float]]:
        """Each person turned, as `views` does it, in a mixture of its own and another's texture; and how much
        of what is shown is its own, 0 to 1.

        share: (B,) λ of the own texture, or what it wears of the other's.
        """
        if len(textures) == 0:
            return []
        turned = self._turned(parameters, yaw_deg)
        fragments = self._renderer.rasterise(turned, camera, self._body.faces, height_px, width_px)
        found = []
        for pair, much, pixels in zip(textures, share, fragments, strict=True):
            at = np.float32(much) if isinstance(much, float) else in_anothers(much, self._body.part_labels)
            mixed, weight = mix_textures(*pair, at)
            shown = shown_share(weight, pixels, self._body.faces)
            found.append((draw_view(mixed, pixels, self._body.faces), shown))
        return found

    def restricted(
        self,
        textures: Sequence[Texture],
        parameters: BodyParameters,
        camera: Tensor,
        height_px: np.ndarray,
        width_px: np.ndarray,
        yaw_deg: np.ndarray,
    ) -> list[Texture]:
        """Each person's texture without what a turn by its angle would hide; arguments as in `views`."""
        if len(textures) == 0:
            return []
        turned = self._turned(parameters, yaw_deg)
        views = self._renderer.look(turned, camera, self._body.faces, height_px, width_px)
        return [
            restrict_texture(texture, view, self._surface)
            for texture, view in zip(textures, views, strict=True)
        ]

    def _turned(self, parameters: BodyParameters, yaw_deg: np.ndarray) -> Tensor:
        """Clothed bodies (B, V, 3), each turned by its own angle (B,)."""
        posed = self._body.pose(parameters).vertices
        angles = torch.from_numpy(np.asarray(yaw_deg))
        return self._clothed(turn_bodies(posed, parameters.global_orient, angles))

    def outline(
        self, parameters: BodyParameters, camera: Tensor, height_px: int, width_px: int
    ) -> np.ndarray:
        """(h, w) bool: where a view of one person's size shows its body, clothed; camera (1, 3)."""
        body = self._clothed(self._body.pose(parameters).vertices)
        size = np.array([height_px]), np.array([width_px])
        (fragments,) = self._renderer.rasterise(body, camera, self._body.faces, *size)
        return fragments.covered

    def _clothed(self, vertices: Tensor) -> Tensor:
        """Bodies (B, V, 3) a little thicker, by what clothes add all over."""
        normals = [vertex_normals(one, self._body.faces) for one in vertices.numpy()]
        return vertices + _CLOTHES_M * torch.from_numpy(np.stack(normals))
