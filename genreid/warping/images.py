"""The persons of a set of images, turned while training asks for them.

Textures are taken while training and not kept on disk: a view takes 2 ms of CPU at 128×64, its share of the
texture among them (`python -m benchmarks.views`). By estimate, the views of 126,000 images would fill tens of
gigabytes, and textures three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.data.background import without_person
from genreid.data.cutting import Masks, finds_somebody, no_masks, person_reach, person_share
from genreid.data.transforms import resize
from genreid.warping.bodies import Bodies
from genreid.warping.mixing import Garment
from genreid.warping.texture import Texture
from genreid.warping.view import WarpedView
from genreid.warping.warper import Warper

_CACHE_BYTES = 2 * 1024**3
"""Of bodies, textures and backgrounds (2 GiB: those of 25,000 images); those beyond are made each time."""


@dataclass(frozen=True)
class _Known:
    """What is taken from an image once.

    body: its person's, one row. empty: (H, W, 3) uint8, the image at the training size, without its person.
    """

    body: Bodies
    texture: Texture
    empty: np.ndarray

    @property
    def nbytes(self) -> int:
        texture = sum(part.nbytes for part in vars(self.texture).values())
        return self.body.nbytes + texture + self.empty.nbytes


class Persons(Protocol):
    """The persons of N images from other sides: `WarpedImages`, or in a study what an oracle shows."""

    def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The persons of the images at `index` (B,), each turned by its angle (B,), at the training size."""
        ...

    def mixtures(
        self, index: np.ndarray, other: np.ndarray, share: Sequence[float | Garment], yaw_deg: np.ndarray
    ) -> list[tuple[WarpedView, float]]:
        """The same of persons mixed with those of the images at `other` (B,), and the shares of their own."""
        ...

    def empty(self, index: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8: the images at `index` (B,) without their persons, at the training size."""
        ...


class Dressed(Persons, Protocol):
    """Persons whose textures can be changed: `WarpedImages`."""

    def wearing(self, index: np.ndarray, other: np.ndarray) -> list[WarpedView]:
        """The persons of the images at `index` (B,) as those show them, in the textures of others (B,)."""
        ...

    def after_turn(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The same with the texture alone that each keeps after a turn by its angle (B,)."""
        ...


class Natives(Protocol):
    """Images as they came, and the training size."""

    @property
    def height_px(self) -> int: ...

    @property
    def width_px(self) -> int: ...

    def load_native(self, position: int) -> np.ndarray: ...


class WarpedImages:
    """N images with the bodies in them: parameters of N persons, camera (N, 3).

    mask: of each image (`MeshEstimates.mask`). Images without a body have any parameters, and no view is
    asked for.
    """

    def __init__(
        self,
        warper: Warper,
        images: Natives,
        parameters: BodyParameters,
        camera: Tensor,
        mask: Masks = no_masks,
    ) -> None:
        self._warper, self._images = warper, images
        self._parameters, self._camera, self.mask = parameters, camera, mask
        self._known: dict[int, _Known] = {}
        self._cached_bytes = 0

    def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The persons of the images at `index` (B,), each turned by its angle (B,), at the training size."""
        known = self._looks(index)
        return self._draw([one.texture for one in known], known, yaw_deg)

    def wearing(self, index: np.ndarray, other: np.ndarray) -> list[WarpedView]:
        """The same persons as their images show them, in the textures of the images at `other` (B,)."""
        worn = [one.texture for one in self._looks(other)]
        return self._draw(worn, self._looks(index), np.zeros(len(index), np.int16))

    def after_turn(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The same persons as their images show them, but with the texture alone that each would keep after a
        turn by its angle (B,): all else is filled as it would be there."""
        known = self._looks(index)
        kept = self._warper.restricted([one.texture for one in known], _bodies(known), yaw_deg)
        return self._draw(kept, known, np.zeros(len(index), np.int16))

    def mixtures(
        self, index: np.ndarray, other: np.ndarray, share: Sequence[float | Garment], yaw_deg: np.ndarray
    ) -> list[tuple[WarpedView, float]]:
        """The persons of the images at `index` (B,), each turned by its angle (B,), mixed with those of the
        images at `other` (B,), and the shares that are their own: see `Warper.mixtures`."""
        known, others = self._looks(index), self._looks(other)
        textures = [(one.texture, second.texture) for one, second in zip(known, others, strict=True)]
        mixed = self._warper.mixtures(textures, share, _bodies(known), yaw_deg)
        size_px = self._images.height_px, self._images.width_px
        return [(view.resized(*size_px), shown) for view, shown in mixed]

    def empty(self, index: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8: the images at `index` (B,) without their persons, at the training size."""
        return np.stack([one.empty for one in self._looks(index)])

    def empty_of_bodies(self, index: np.ndarray) -> np.ndarray:
        """The same without what the bodies' outlines have alone, as if no mask were known."""
        return np.stack([self._without_body(int(position)) for position in index])

    def share(self, position: int) -> np.ndarray:
        """(H, W) uint8, how far each pixel of an image is its person's, of 255: see `person_share`."""
        mask = self.mask(position)
        if not finds_somebody(mask):
            outline = self._outline(position, *self._images.load_native(position).shape[:2])
            mask = person_share(outline, None)
        assert mask is not None
        return resize(mask, self._images.height_px, self._images.width_px)

    def pictures(self, index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8: `views`, each before its own image's background."""
        known = self._looks(index)
        views = self._draw([one.texture for one in known], known, yaw_deg)
        return np.stack([view.before(one.empty) for view, one in zip(views, known, strict=True)])

    def _draw(
        self, textures: Sequence[Texture], known: Sequence[_Known], yaw_deg: np.ndarray
    ) -> list[WarpedView]:
        """Textures (B,) on the bodies of B images, turned by `yaw_deg` (B,)."""
        views = self._warper.views(textures, _bodies(known), yaw_deg)
        return [view.resized(self._images.height_px, self._images.width_px) for view in views]

    def _looks(self, index: np.ndarray) -> list[_Known]:
        return [self._look(int(position)) for position in index]

    def _look(self, position: int) -> _Known:
        """What is known of an image, from memory if it was looked at before."""
        if position in self._known:
            return self._known[position]
        native, mask = self._images.load_native(position), self.mask(position)
        body = self._body(position, *native.shape[:2])
        (texture,) = self._warper.textures([native], body, [mask])
        (outline,) = self._warper.outlines(body)
        known = _Known(body, texture, self._without_person(native, outline, mask))
        if self._cached_bytes + known.nbytes <= _CACHE_BYTES:
            self._known[position] = known
            self._cached_bytes += known.nbytes
        return known

    def _body(self, position: int, height_px: int, width_px: int) -> Bodies:
        one, size_px = slice(position, position + 1), (np.array([height_px]), np.array([width_px]))
        return self._warper.bodies(self._parameters.select(one), self._camera[one], *size_px)

    def _outline(self, position: int, height_px: int, width_px: int) -> np.ndarray:
        (outline,) = self._warper.outlines(self._body(position, height_px, width_px))
        return outline

    def _without_body(self, position: int) -> np.ndarray:
        native = self._images.load_native(position)
        return self._without_person(native, self._outline(position, *native.shape[:2]), None)

    def _without_person(self, native: np.ndarray, outline: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        size_px = self._images.height_px, self._images.width_px
        return without_person(resize(native, *size_px), person_reach(outline, mask, *size_px))


def _bodies(known: Sequence[_Known]) -> Bodies:
    return Bodies.concatenate([one.body for one in known])
