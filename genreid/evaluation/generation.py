"""How good generated views are (docs/method.md, Evaluation): likeness, error to the true view, identity kept,
spread.

Shapes: N images, Y yaws, G gallery images, D embedding width, H×W the training size. Pictures are uint8
RGB; L1 errors are on the scale 0 to 1.

Likeness is SSIM, error is L1 and SSIM against the true rotated view, over the whole picture and within the
person's true silhouette. Beside it stands the error of keeping the original image: its background is already
right, so the whole picture favours it, and the silhouette is what tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from genreid.data.images import ImageSet
from genreid.data.transforms import denormalise, normalise, normalise_mesh, resize
from genreid.errors import GenreidError
from genreid.evaluation.ranking import rank
from genreid.evaluation.similarity import ViewErrors, frechet_distance, l1, ssim, view_errors
from genreid.evaluation.true_views import TrueView
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.render.views import ViewStore
from genreid.warping.canvas import make_canvas
from genreid.warping.images import WarpedImages

if TYPE_CHECKING:
    from genreid.progress import Progress

MIXED_WEIGHT = 0.5
"""λ of the mixed views: half of each person, the farthest from both."""


class ViewedImages:
    """Images with the views of their meshes and, where they are known, their true rotated views.

    persons: those of the images, for a generator that repairs warped views.
    position: (M,) int64, the images that have views. yaws_deg: the rotations of the shards, 0 left out.
    """

    def __init__(
        self,
        images: ImageSet,
        views: ViewStore,
        true_view: TrueView | None = None,
        *,
        persons: WarpedImages | None = None,
    ) -> None:
        rendered = set(views.image_ids)
        self.images, self._views, self._true_view = images, views, true_view
        self._persons = persons
        self._true: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self.position = np.flatnonzero([image_id in rendered for image_id in images.image_id])
        self.yaws_deg = tuple(int(yaw) for yaw in views.yaws_deg if yaw != 0)
        if len(self.position) == 0 or not self.yaws_deg or 0 not in views.yaws_deg:
            raise GenreidError(
                f"{len(self.position)} of {len(images)} images have mesh views, "
                f"at {list(views.yaws_deg)} degrees; expected some, at 0 and one or more rotations: set "
                "render_views.splits and render_views.yaws_deg, then run `genreid render-views` again"
            )

    @property
    def has_truth(self) -> bool:
        return self._true_view is not None

    def meshes(self, index: np.ndarray, yaw_deg: int) -> np.ndarray:
        """(B,) positions → mesh views at the training size (B,H,W) uint8."""
        views = (self._views.load(self.images.image_id[i], yaw_deg) for i in index)
        return np.stack([resize(view, self.images.height_px, self.images.width_px) for view in views])

    def shown(self, index: np.ndarray, yaw_deg: int) -> Tensor:
        """(B,) positions → what a generator is shown: meshes (B,1,H,W), or with `persons` canvases (B,7,H,W),
        before the images' own backgrounds."""
        mesh = normalise_mesh(self.meshes(index, yaw_deg))
        if self._persons is None:
            return mesh
        views, empty = self._persons.views(index, np.full(len(index), yaw_deg)), self._persons.empty(index)
        return make_canvas(views, mesh, empty)

    def mixed(self, painter: Painter, index: np.ndarray, partner: np.ndarray, weight: float) -> np.ndarray:
        """(B,H,W,3): the images at `index` (B,) on their own meshes, by `weight` themselves, else their
        partners (B,): codes, painted, or with `persons` textures on the body."""
        if self._persons is None:
            own, other = (painter.appearance(self.images.load(which)) for which in (index, partner))
            return painter.paint(self.shown(index, 0), weight * own + (1 - weight) * other)
        shares, unturned = [weight] * len(index), np.zeros(len(index), np.int16)
        mixtures = self._persons.mixtures(index, partner, shares, unturned)
        pairs = zip(mixtures, self._persons.empty(index), strict=True)
        return np.stack([view.before(background) for (view, _), background in pairs])

    def true_views(self, index: np.ndarray, yaw_deg: int) -> tuple[np.ndarray, np.ndarray]:
        """(B,) positions → true views (B,H,W,3) uint8 and silhouettes (B,H,W) bool, at the training size."""
        pictures, silhouettes = zip(*(self._drawn(int(i), yaw_deg) for i in index), strict=True)
        return np.stack(pictures), np.stack(silhouettes)

    def _drawn(self, position: int, yaw_deg: int) -> tuple[np.ndarray, np.ndarray]:
        """One of the true views; kept, because an evaluation spends most of its time on drawing them."""
        key = position, yaw_deg
        if key not in self._true:
            assert self._true_view is not None, "there are no true views"
            size = self.images.height_px, self.images.width_px
            picture, silhouette = self._true_view(self.images.image_id[position], yaw_deg)
            inside = resize(silhouette.astype(np.uint8) * 255, *size) > 127
            self._true[key] = resize(picture, *size), inside
        return self._true[key]


class Painter:
    """Encoder and generator at work: evaluation mode, no gradients, pictures in and out as bytes."""

    def __init__(self, generator: Generator, encoder: IdentityEncoder) -> None:
        self._generator, self._encoder = generator.eval(), encoder.eval()
        self._device = _device_of(generator)

    @torch.no_grad()
    def appearance(self, images: np.ndarray) -> Tensor:
        """(B,H,W,3) → appearance codes (B,S·D)."""
        code: Tensor = self._encoder(normalise(images).to(self._device)).appearance
        return code

    @torch.no_grad()
    def paint(self, shown: Tensor, appearance: Tensor) -> np.ndarray:
        """What the generator is shown (see `ViewedImages.shown`) and codes (B,S·D) → pictures (B,H,W,3)."""
        return denormalise(self._generator(shown.to(self._device), appearance))


@dataclass(frozen=True)
class GenerationMeasurements:
    """What was measured on N images; errors against true views are None where no truth is known.

    index: (N,) positions in the image set. reconstruction_ssim, reconstruction_l1: (N,). rotated: errors of
    the painted rotated views, original: of the unturned image in their place, each (N,Y). Embeddings by the
    judge, unit rows: real (N,D), rotated_embedding (N,Y,D), mixed_embedding (N,D).
    """

    index: np.ndarray
    yaws_deg: tuple[int, ...]
    reconstruction_ssim: np.ndarray
    reconstruction_l1: np.ndarray
    rotated: ViewErrors | None
    original: ViewErrors | None
    real_embedding: np.ndarray
    rotated_embedding: np.ndarray
    mixed_embedding: np.ndarray

    def figures(self) -> dict[str, float]:
        """Means by name: `reconstruction_ssim`, `rotated_person_l1`, `original_person_l1`, …"""
        figures = {
            "reconstruction_ssim": float(self.reconstruction_ssim.mean()),
            "reconstruction_l1": float(self.reconstruction_l1.mean()),
        }
        for name, errors in (("rotated", self.rotated), ("original", self.original)):
            if errors is not None:
                figures |= {f"{name}_{figure}": value for figure, value in errors.means().items()}
        return figures

    def frechet_figures(self, reference: np.ndarray) -> dict[str, float]:
        """Fréchet distances to real images: `rotated_frechet`, `mixed_frechet` and, to stand beside,
        `real_frechet`.

        reference: (G,D) embeddings of other real images by the same judge. All three compare N embeddings
        with the same G: of the rotated views those of one yaw at a time, averaged over yaws. The distance
        of few samples is biased upwards (Chong & Forsyth 2020): only figures of the same N, reference and
        judge compare.
        """
        by_yaw = [
            frechet_distance(self.rotated_embedding[:, yaw], reference) for yaw in range(len(self.yaws_deg))
        ]
        return {
            "real_frechet": frechet_distance(self.real_embedding, reference),
            "rotated_frechet": float(np.mean(by_yaw)),
            "mixed_frechet": frechet_distance(self.mixed_embedding, reference),
        }


def measure_generation(
    painter: Painter,
    judge: IdentityEncoder,
    viewed: ViewedImages,
    index: np.ndarray,
    *,
    batch_size: int,
    progress: Progress,
) -> GenerationMeasurements:
    """Paint and judge the images at `index` (N,), which must have views. Pictures are not kept.

    judge: the encoder whose embeddings tell identity and spread. Best one that the generator never worked
    with: the warm-up encoder for a generator of joint training. Image i is mixed with image i + 1.
    """
    judge.eval()
    partners = np.roll(index, -1)
    parts = []
    starts = range(0, len(index), batch_size)
    for start in progress.track(starts, "generated views", total=len(starts)):
        batch = slice(start, start + batch_size)
        parts.append(_measure_batch(painter, judge, viewed, index[batch], partners[batch]))
    return _joined(parts)


def identity_kept(
    measurements: GenerationMeasurements,
    ids: np.ndarray,
    cameras: np.ndarray,
    gallery_embedding: np.ndarray,
    gallery_ids: np.ndarray,
    gallery_cameras: np.ndarray,
) -> dict[str, float]:
    """Rank-1 of a rotated view as the query, as shares: `identity_kept`, and `identity_kept_45` … by yaw.

    Each rotated view takes the place of its image as a query of the Market-1501 protocol: it has the
    image's identity and camera, so gallery images of that identity in that camera are left out. The plain
    rank-1 of the same images by the same judge, `identity_of_images`, is what it can be held against.

    ids, cameras: (N,) of the measured images; gallery_embedding: (G,D) by the same judge.
    """
    gallery = (gallery_embedding, gallery_ids, gallery_cameras)

    def rank_1(embedding: np.ndarray) -> float:
        return float(rank(embedding, ids, cameras, *gallery, max_rank=1).cmc[0])

    by_yaw = {
        f"identity_kept_{yaw_deg}": rank_1(np.ascontiguousarray(measurements.rotated_embedding[:, i]))
        for i, yaw_deg in enumerate(measurements.yaws_deg)
    }
    mean = float(np.mean(list(by_yaw.values())))
    return {"identity_of_images": rank_1(measurements.real_embedding), "identity_kept": mean} | by_yaw


@torch.no_grad()
def embed_pictures(encoder: IdentityEncoder, pictures: np.ndarray) -> np.ndarray:
    """(B,H,W,3) uint8 → (B,D) unit rows, by an encoder in evaluation mode."""
    pixels = normalise(pictures).to(_device_of(encoder))
    embedding: np.ndarray = encoder(pixels).embedding.float().cpu().numpy()
    return embedding


def _measure_batch(
    painter: Painter,
    judge: IdentityEncoder,
    viewed: ViewedImages,
    index: np.ndarray,
    partners: np.ndarray,
) -> GenerationMeasurements:
    images = viewed.images.load(index)
    codes = painter.appearance(images)
    rebuilt = painter.paint(viewed.shown(index, 0), codes)
    mixed = viewed.mixed(painter, index, partners, MIXED_WEIGHT)
    embeddings, rotated, original = [], [], []
    for yaw_deg in viewed.yaws_deg:
        pictures = painter.paint(viewed.shown(index, yaw_deg), codes)
        embeddings.append(embed_pictures(judge, pictures))
        if viewed.has_truth:
            true, silhouettes = viewed.true_views(index, yaw_deg)
            rotated.append(view_errors(pictures, true, silhouettes))
            original.append(view_errors(images, true, silhouettes))
    return GenerationMeasurements(
        index=index,
        yaws_deg=viewed.yaws_deg,
        reconstruction_ssim=ssim(rebuilt, images),
        reconstruction_l1=l1(rebuilt, images),
        rotated=ViewErrors.joined(rotated, np.stack, axis=1) if rotated else None,
        original=ViewErrors.joined(original, np.stack, axis=1) if original else None,
        real_embedding=embed_pictures(judge, images),
        rotated_embedding=np.stack(embeddings, axis=1),
        mixed_embedding=embed_pictures(judge, mixed),
    )


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _joined(parts: Sequence[GenerationMeasurements]) -> GenerationMeasurements:
    """The measurements of consecutive batches as one."""

    def arrays(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    def errors(name: str) -> ViewErrors | None:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else ViewErrors.joined(found, np.concatenate, axis=0)

    return GenerationMeasurements(
        index=arrays("index"),
        yaws_deg=parts[0].yaws_deg,
        reconstruction_ssim=arrays("reconstruction_ssim"),
        reconstruction_l1=arrays("reconstruction_l1"),
        rotated=errors("rotated"),
        original=errors("original"),
        real_embedding=arrays("real_embedding"),
        rotated_embedding=arrays("rotated_embedding"),
        mixed_embedding=arrays("mixed_embedding"),
    )
