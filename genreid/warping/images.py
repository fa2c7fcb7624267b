"""The persons of a set of images, turned while training asks for them.

Textures are taken while training and not kept on disk: a view takes 3 ms of CPU at 128×64, its share of the
texture among them (`python -m benchmarks.views`). By estimate, the views of 126,000 images would fill tens of
gigabytes, and textures three.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.data.images import ImageSet
from genreid.warping.texture import Texture
from genreid.warping.view import WarpedView
from genreid.warping.warper import Warper

_CACHE_BYTES = 2 * 1024**3
"""Of textures (2 GiB: those of 60,000 images); those beyond are taken each time."""


class WarpedImages:
    """N images with the bodies in them: parameters of N persons, camera (N, 3), masks as for `Warper`.

    Images without a body have any parameters, and no view is asked for.
    """

    def __init__(
        self,
        warper: Warper,
        images: ImageSet,
        parameters: BodyParameters,
        camera: Tensor,
        masks: Sequence[np.ndarray | None] | None = None,
    ) -> None:
        self._warper, self._images = warper, images
        self._parameters, self._camera, self._masks = parameters, camera, masks
        self._textures: dict[int, tuple[Texture, tuple[int, int]]] = {}
        self._cached_bytes = 0

    def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The persons of the images at `index` (B,), each turned by its angle (B,), at the training size."""
        rows = torch.from_numpy(np.asarray(index, np.int64))
        looked = [self._look(int(position)) for position in index]
        height, width = np.array([size for _, size in looked]).T
        textures = [texture for texture, _ in looked]
        views = self._warper.views(
            textures, self._parameters.select(rows), self._camera[rows], height, width, yaw_deg
        )
        return [view.resized(self._images.height_px, self._images.width_px) for view in views]

    def _look(self, position: int) -> tuple[Texture, tuple[int, int]]:
        """An image's texture and native size, from memory if it was taken before."""
        if position in self._textures:
            return self._textures[position]
        native = self._images.load_native(position)
        one = slice(position, position + 1)
        # Alone: what shares a batch changes the last bits of a posed body, and a run that was resumed has
        # other textures in memory than one that went through.
        (texture,) = self._warper.textures(
            [native],
            self._parameters.select(one),
            self._camera[one],
            None if self._masks is None else self._masks[one],
        )
        entry = texture, native.shape[:2]
        size = sum(part.nbytes for part in vars(texture).values())
        if self._cached_bytes + size <= _CACHE_BYTES:
            self._textures[position] = entry
            self._cached_bytes += size
        return entry
