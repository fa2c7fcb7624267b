"""The benchmark's own pictures of a person from other sides: the measure of made views, and what an oracle
shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from genreid.body.body import Body
from genreid.data.images import ImageSet
from genreid.synthetic.truth import benchmark_from_truth
from genreid.warping.images import WarpedImages
from genreid.warping.mixing import Garment
from genreid.warping.view import Layer, WarpedView

TrueView = Callable[[str, int], tuple[np.ndarray, np.ndarray]]
"""(image_id, yaw_deg) → the true rotated view (h,w,3) uint8 RGB and the person's silhouette (h,w) bool."""

_CACHE_BYTES = 2 * 1024**3
"""Of true persons (2 GiB: the views of 37,000 images of 64×32); those beyond are drawn each time."""


def true_views(truth: pa.Table, body: Body) -> TrueView:
    """How a person of the synthetic benchmark looks from another side."""
    benchmark = benchmark_from_truth(truth, body)
    shots = {shot.image_id: shot for shot in benchmark.shots}

    def true_view(image_id: str, yaw_deg: int) -> tuple[np.ndarray, np.ndarray]:
        scene = benchmark.render(shots[image_id], yaw_deg)
        return scene.image, scene.silhouette

    return true_view


class TruePersons:
    """The persons of N images, turned by the benchmark itself, in the place of `WarpedImages`.

    yaws_deg: the angles that are asked for. All of an image's are drawn when the first one is: dressing a
    person takes four times as long as drawing it. warped: whom they stand in for; backgrounds and mixtures
    of persons, of which there is no truth, are still theirs.
    """

    def __init__(
        self, images: ImageSet, true_view: TrueView, yaws_deg: Sequence[int], warped: WarpedImages
    ) -> None:
        self._images, self._true_view, self._warped = images, true_view, warped
        self._yaws_deg = {int(yaw): number for number, yaw in enumerate(yaws_deg)}
        self._drawn: dict[int, np.ndarray] = {}
        self._drawn_bytes = 0

    def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The persons of the images at `index` (B,), each turned by its angle (B,), at the training size; all
        of them seen."""
        return [self._view(int(position), int(yaw)) for position, yaw in zip(index, yaw_deg, strict=True)]

    def empty(self, index: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8: the images at `index` (B,) without their persons, at the training size."""
        return self._warped.empty(index)

    def mixtures(
        self, index: np.ndarray, other: np.ndarray, share: Sequence[float | Garment], yaw_deg: np.ndarray
    ) -> list[tuple[WarpedView, float]]:
        """Those of `WarpedImages.mixtures`."""
        return self._warped.mixtures(index, other, share, yaw_deg)

    def _view(self, position: int, yaw_deg: int) -> WarpedView:
        layer = Layer.unpacked(self._of(position)[self._yaws_deg[yaw_deg]])
        return WarpedView(layer.person, layer.share, layer.share, np.zeros_like(layer.share))

    def _of(self, position: int) -> np.ndarray:
        """An image's person from all sides: (Y, H, W, 4) uint8, colours times share, and the share."""
        if position in self._drawn:
            return self._drawn[position]
        drawn = np.stack([self._draw(position, yaw) for yaw in self._yaws_deg])
        if self._drawn_bytes + drawn.nbytes <= _CACHE_BYTES:
            self._drawn[position] = drawn
            self._drawn_bytes += drawn.nbytes
        return drawn

    def _draw(self, position: int, yaw_deg: int) -> np.ndarray:
        picture, silhouette = self._true_view(self._images.image_id[position], yaw_deg)
        share = silhouette.astype(np.float32)
        person = Layer(picture * share[..., None], share)
        return person.resized(self._images.height_px, self._images.width_px).packed()
