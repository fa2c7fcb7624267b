"""Embeddings of pictures of any size, each the mean over several pictures of its image.

B images; H×W the training size; D embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from genreid.data.settings import WayName
from genreid.data.transforms import resize
from genreid.data.ways import Turned, looks, where_possible
from genreid.mesh.estimator import MeshEstimator
from genreid.models.embedding import Embedder, embed_mean
from genreid.progress import Silent
from genreid.render.views import YAWS_DEG
from genreid.warping.images import WarpedImages
from genreid.warping.warper import Warper


@dataclass(frozen=True)
class Turner:
    """What turns persons: who finds their bodies, and who warps them."""

    estimator: MeshEstimator
    warper: Warper


class LoadedImages:
    """Images in memory, by their names, in the place of an `ImageSet`."""

    def __init__(self, names: Sequence[str], images: Sequence[np.ndarray], size_px: tuple[int, int]) -> None:
        self.image_id, self._native = list(names), images
        self.height_px, self.width_px = size_px
        self._resized = np.stack([resize(image, *size_px) for image in images])

    def load_native(self, position: int) -> np.ndarray:
        return self._native[position]

    def load(self, index: np.ndarray) -> np.ndarray:
        return self._resized[index]


@dataclass(frozen=True)
class Looker:
    """Embeds images in one way. size_px: H and W. turner: for the way `turned`, else None."""

    encoder: Embedder
    way: WayName
    size_px: tuple[int, int]
    device: torch.device
    turner: Turner | None = None

    def embed(self, names: Sequence[str], images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Unit rows (B, D) float32 of images (h, w, 3) uint8 RGB, and how many pictures each is the mean of.

        names: their identifiers, on which copies depend. An image in which no body is found is embedded alone
        where it should be turned. A row depends on its own image.
        """
        loaded = LoadedImages(names, images, self.size_px)
        turned, has_body = self._turned(loaded, images)
        looked = looks(self.way, loaded, turned, YAWS_DEG[1:])
        num = len(images)
        rows = embed_mean(self.encoder, looked, num, num, self.device, Silent()).numpy()
        return rows, np.where(has_body, len(looked), 1)

    def _turned(self, loaded: LoadedImages, images: Sequence[np.ndarray]) -> tuple[Turned | None, np.ndarray]:
        if self.way != "turned":
            return None, np.ones(len(images), bool)
        assert self.turner is not None
        found = self.turner.estimator.estimate(loaded.image_id, images)
        warped = WarpedImages(self.turner.warper, loaded, found.parameters, found.camera, found.mask)
        return where_possible(warped.pictures, loaded, found.valid), found.valid
