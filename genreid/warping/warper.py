"""Images in, their persons from other sides out: the door of this room.

Source: docs/method.md, Views by warping. Beyond the paper, whose views are painted from codes alone. B
persons with bodies, each in an image and views of its own native size; angles are those of
`genreid.render.views`, where 0 is the image's own viewpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.render.backend import Renderer
from genreid.warping.bodies import Bodies
from genreid.warping.mixing import Garment, in_anothers, mix_textures, shown_share
from genreid.warping.surface import Surface
from genreid.warping.texture import Texture, restrict_texture, take_texture
from genreid.warping.view import WarpedView, draw_view


class Warper:
    """Takes persons' textures off images and draws them turned.

    body: whose parameters it is given; renderer: says which triangle each pixel sees.
    """

    def __init__(self, body: Body, renderer: Renderer) -> None:
        self._body, self._renderer = body, renderer
        self._surface = Surface.of(body)

    def bodies(
        self, parameters: BodyParameters, camera: Tensor, height_px: np.ndarray, width_px: np.ndarray
    ) -> Bodies:
        """The bodies of B images: camera (B, 3), height_px and width_px (B,) of the native images."""
        return Bodies.pose(self._body, parameters, camera, height_px, width_px)

    def textures(
        self,
        images: Sequence[np.ndarray],
        bodies: Bodies,
        masks: Sequence[np.ndarray | None] | None = None,
    ) -> list[Texture]:
        """The texture of each person.

        images: B of (h, w, 3) uint8 RGB; masks: B of (h, w) uint8, how surely a pixel shows the person, of
        255, or None.
        """
        if len(images) == 0:
            return []
        sizes = bodies.height_px, bodies.width_px
        views = self._renderer.look(bodies.seen, bodies.camera, self._body.faces, *sizes)
        known = masks if masks is not None else [None] * len(images)
        return [
            take_texture(image, view, self._surface, mask)
            for image, view, mask in zip(images, views, known, strict=True)
        ]

    def views(self, textures: Sequence[Texture], bodies: Bodies, yaw_deg: np.ndarray) -> list[WarpedView]:
        """Each person turned by its own angle (B,)."""
        if len(textures) == 0:
            return []
        fragments = self._renderer.rasterise(*self._turned(bodies, yaw_deg))
        return [
            draw_view(texture, pixels, self._body.faces)
            for texture, pixels in zip(textures, fragments, strict=True)
        ]

    def mixtures(
        self,
        textures: Sequence[tuple[Texture, Texture]],
        share: Sequence[float | Garment],
        bodies: Bodies,
        yaw_deg: np.ndarray,
    ) -> list[tuple[WarpedView, float]]:
        """Each person turned, as `views` does it, in a mixture of its own and another's texture; and how much
        of what is shown is its own, 0 to 1.

        share: (B,) λ of the own texture, or what it wears of the other's.
        """
        if len(textures) == 0:
            return []
        fragments = self._renderer.rasterise(*self._turned(bodies, yaw_deg))
        found = []
        for pair, much, pixels in zip(textures, share, fragments, strict=True):
            at = np.float32(much) if isinstance(much, float) else in_anothers(much, self._body.part_labels)
            mixed, weight = mix_textures(*pair, at)
            shown = shown_share(weight, pixels, self._body.faces)
            found.append((draw_view(mixed, pixels, self._body.faces), shown))
        return found

    def restricted(self, textures: Sequence[Texture], bodies: Bodies, yaw_deg: np.ndarray) -> list[Texture]:
        """Each person's texture without what a turn by its angle (B,) would hide."""
        if len(textures) == 0:
            return []
        views = self._renderer.look(*self._turned(bodies, yaw_deg))
        return [
            restrict_texture(texture, view, self._surface)
            for texture, view in zip(textures, views, strict=True)
        ]

    def outlines(self, bodies: Bodies) -> list[np.ndarray]:
        """Of each image (h, w) bool: where it shows its person's body."""
        fragments = self._renderer.rasterise(*self._turned(bodies, np.zeros(len(bodies))))
        return [pixels.covered for pixels in fragments]

    def _turned(
        self, bodies: Bodies, yaw_deg: np.ndarray
    ) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray, np.ndarray]:
        """What a renderer is asked: the bodies, each turned by its angle (B,), and their images' sizes."""
        turned = bodies.turned(yaw_deg)
        return turned, bodies.camera, self._body.faces, bodies.height_px, bodies.width_px
