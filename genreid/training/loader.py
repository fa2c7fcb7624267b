"""The way of images and mesh views into the networks: batches at the training size, made ahead."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import cast

import numpy as np
import torch
from torch import Tensor

from genreid.data.background import without_person
from genreid.data.batch import Batch, Mix, Mixtures
from genreid.data.camera_colours import CameraColours
from genreid.data.cutting import LIKELY, Masks, no_masks, person_reach, person_share, ring_px
from genreid.data.images import ImageSet
from genreid.data.samplers import shuffled_batches
from genreid.data.transforms import normalise, normalise_mesh, resize
from genreid.errors import GenreidError
from genreid.render.views import ViewStore
from genreid.seeding import numpy_rng, torch_rng
from genreid.training.ahead import one_ahead
from genreid.training.canvases import make_canvases
from genreid.training.draws import Positives, draw_backgrounds
from genreid.training.mixtures import Mixing
from genreid.training.ranks import ALONE, Ranks
from genreid.training.run import Run
from genreid.warping.images import Dressed, Persons
from genreid.warping.view import Layer

_CACHE_BYTES = 2 * 1024**3
"""Of decoded mesh views, warped persons and backgrounds (2 GiB: at 64×32 a million mesh views, or 37,000
images turned by seven angles); those beyond are made each time."""


def to_device(pixels: Tensor, device: torch.device) -> Tensor:
    """On the device in channels-last order, in which convolutions on a CPU run several times faster."""
    return pixels.to(device, memory_format=torch.channels_last, non_blocking=True)


@dataclass(frozen=True)
class Holds:
    """What batches hold besides images and their meshes, own and turned.

    backgrounds: images without their persons, of other cameras: what persons are put before in place of their
    own. persons: how far each pixel is the person's, to be cut out as it is. warped: the persons turned by
    warping; canvases: the same for a generator that repairs. camera_colours: whether warped and mixed persons
    have the colours of the camera before whose background they stand. mixing: how persons are mixed, if they
    are. mirror: the chance of an image to come mirrored, with all that belongs to it.
    """

    backgrounds: bool = False
    persons: bool = False
    warped: bool = False
    canvases: bool = False
    camera_colours: bool = False
    mixing: Mixing | None = None
    mirror: float = 0.0


IMAGES_AND_MESHES = Holds()


class Loader:
    """Images with the views of their meshes, at the training size.

    images: N images. views: the view shards. warped: the persons of the images, if they are to be turned by
    warping or mixed on the body. mask: of each image, along which persons are cut out. Attributes: with_mesh
    (M,) int64, the positions of the images that have views (the others take part in clustering and memory,
    not in generator batches); yaws_deg: the rotations that a batch draws from, all of the shards' but 0.

    Raises:
        GenreidError: no image has a view, or the shards lack the image's own viewpoint or any rotation.
    """

    def __init__(
        self,
        images: ImageSet,
        views: ViewStore,
        device: torch.device,
        *,
        warped: Persons | None = None,
        mask: Masks = no_masks,
    ) -> None:
        rendered = set(views.image_ids)
        has_view = np.array([image_id in rendered for image_id in images.image_id])
        self.with_mesh = np.flatnonzero(has_view)
        if len(self.with_mesh) == 0:
            raise GenreidError(
                f"none of the {len(images)} training images has a mesh view: look at the summary of "
                "`genreid mesh-extract`, then run `genreid render-views` again"
            )
        rotations = [yaw for yaw in views.yaws_deg if yaw != 0]
        if 0 not in views.yaws_deg or not rotations:
            raise GenreidError(
                f"the view shards hold the angles {list(views.yaws_deg)}: expected 0 and others; "
                "set `render_views.yaws_deg` and run `genreid render-views` again"
            )
        self.yaws_deg = np.array(rotations, np.int16)
        self._images, self._views, self._device = images, views, device
        self._warped, self._mask = warped, mask
        self._cache: dict[Hashable, np.ndarray] = {}
        self._cached_bytes = 0

    def epoch(
        self,
        run: Run,
        index: np.ndarray,
        batch_size: int,
        seed: int,
        holds: Holds = IMAGES_AND_MESHES,
        *,
        positives: Positives | None = None,
        learns: Callable[[int], bool] = lambda step: True,
        ranks: Ranks = ALONE,
    ) -> Iterator[tuple[np.random.Generator, Batch]]:
        """The batches of the run's epoch that are still to do, each with the random numbers of its step.

        index: (M',) positions of images with a mesh; each comes once before any comes twice. learns: in
        which steps the generator does; positives are drawn for those. A batch is made in a thread while the
        one before it is learnt from. ranks: who share a batch; this one's part of it is made.
        """
        epoch, first = run.epoch, run.step  # the run goes on while batches are made
        order = shuffled_batches(index, batch_size, numpy_rng(seed, "batches", epoch))

        def batches() -> Iterator[tuple[np.random.Generator, Batch]]:
            for step, chosen in enumerate(islice(order, first, run.steps_per_epoch), start=first):
                # "partners" are positives: another name for the draws would make them others.
                rng, draw = numpy_rng(seed, "step", epoch, step), torch_rng(seed, "partners", epoch, step)
                paired = positives.draw(chosen, draw) if positives and learns(step) else None
                mirrored = None
                if holds.mirror > 0:  # a generator of its own: all other draws are the same with and without
                    mirrored = numpy_rng(seed, "mirror", epoch, step).random(len(chosen)) < holds.mirror
                yield (
                    rng,
                    self.batch(
                        chosen,
                        rng,
                        holds,
                        positives=paired,
                        learns=learns(step),
                        mirrored=mirrored,
                        ranks=ranks,
                    ),
                )

        return one_ahead(batches())

    def batch(
        self,
        index: np.ndarray,
        rng: np.random.Generator,
        holds: Holds = IMAGES_AND_MESHES,
        *,
        positives: np.ndarray | None = None,
        learns: bool = True,
        mirrored: np.ndarray | None = None,
        ranks: Ranks = ALONE,
    ) -> Batch:
        """The images at `index` (B,); backgrounds, angles and mixtures are drawn from `rng`.

        positives, learns: see `batch_at`. mirrored: (B,) bool, who comes mirrored, if anybody. ranks: who
        share them: all is drawn for all, and this one's part is made.
        """
        backgrounds = None
        if holds.backgrounds:
            backgrounds = draw_backgrounds(index, self._images.camera_id, self.with_mesh, rng)
        yaw_deg = rng.choice(self.yaws_deg, len(index))
        mix = None if holds.mixing is None else holds.mixing(index, rng)
        part = ranks.part(len(index))
        rows = part.rows
        batch = self.batch_at(
            index[rows],
            yaw_deg[rows],
            holds,
            positives=None if positives is None else positives[rows],
            backgrounds=None if backgrounds is None else backgrounds[rows],
            learns=learns,
            mix=None if mix is None else mix.of_part(part, ranks.whole(part)),
            others=None if mix is None else index[mix.partner.numpy()][rows],
        )
        batch = replace(batch, part=part)
        return (
            batch if mirrored is None else batch.mirrored(torch.from_numpy(mirrored[rows]).to(self._device))
        )

    def batch_at(
        self,
        index: np.ndarray,
        yaw_deg: np.ndarray,
        holds: Holds = IMAGES_AND_MESHES,
        *,
        positives: np.ndarray | None = None,
        backgrounds: np.ndarray | None = None,
        learns: bool = True,
        mix: Mix | None = None,
        others: np.ndarray | None = None,
    ) -> Batch:
        """The images at `index` (B,) with their meshes turned by `yaw_deg` (B,) degrees, and what of `holds`
        needs no draw.

        positives: (B,) images of the same persons, if any; backgrounds: (B,) images whose backgrounds are
        wanted, if any; all of them with views. learns: whether the generator does, from canvases that it
        needs for that. mix: how the persons are mixed, if they are, and others: (B,) images with whose.
        """
        mesh, mesh_rotated = self._own_meshes(index), self._view_batch(index, yaw_deg)
        warped, mixtures, canvases = None, None, None
        behind = index if backgrounds is None else backgrounds
        if holds.warped:
            warped = self._on_device(self._warped_at(index, yaw_deg, behind, holds.camera_colours))
        if holds.canvases:
            persons = cast(Dressed, self._warped)  # no oracle shows what is to be repaired
            empty, meshes = (self._empty(index), self._empty(behind)), (mesh, mesh_rotated)
            canvases = make_canvases(persons, index, yaw_deg, meshes, empty, positives, learns=learns)
        if mix is not None and mix.shares:
            assert others is not None
            mixtures = self._mixed_at(index, others, mix, yaw_deg, behind, holds.camera_colours)
        return Batch(
            index=torch.from_numpy(np.asarray(index, np.int64)).to(self._device),
            image=self.images_at(index),
            mesh=mesh,
            mesh_rotated=mesh_rotated,
            yaw_deg=torch.from_numpy(yaw_deg.astype(np.float32)).to(self._device),
            positive_image=None if positives is None else self.images_at(positives),
            positive_mesh=None if positives is None else self._own_meshes(positives),
            positive_person=None if positives is None else self._shares(positives, 0),
            background=None if backgrounds is None else self._on_device(self._empty(backgrounds)),
            person=self._shares(index, ring_px(self._images.height_px)) if holds.persons else None,
            warped=warped,
            mix=None if mix is None else mix.to(self._device),
            mixtures=mixtures,
            canvases=canvases,
        )

    def images_at(self, index: np.ndarray) -> Tensor:
        """The images at `index` (B,): (B, 3, H, W), normalised."""
        return self._on_device(self._images.load(index))

    def turned(self, index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        """The images at `index` (B,), their persons turned by `yaw_deg` (B,) by warping, before their own
        backgrounds: (B, H, W, 3) uint8. An image without a mesh stays as it is."""
        pictures = self._images.load(index)
        known = np.isin(index, self.with_mesh)
        if known.any():
            pictures[known] = self._warped_at(index[known], yaw_deg[known], index[known])
        return pictures

    def _warped_at(
        self, index: np.ndarray, yaw_deg: np.ndarray, backgrounds: np.ndarray, recolours: bool = False
    ) -> np.ndarray:
        """The persons of the images at `index` (B,), turned by warping, before the backgrounds of others:
        (B, H, W, 3) uint8."""
        views = [self._layer(int(image), int(yaw)) for image, yaw in zip(index, yaw_deg, strict=True)]
        return self._before(views, index, backgrounds, recolours)

    def _layer(self, image: int, yaw_deg: int) -> Layer:
        """One person turned by warping, before nothing.

        Training asks for each of an image's few angles again and again.
        """
        persons = self._warped
        assert persons is not None

        def draw() -> np.ndarray:
            (view,) = persons.views(np.array([image]), np.array([yaw_deg], np.int16))
            return view.packed()

        return Layer.unpacked(self._kept(("layer", image, yaw_deg), draw))

    def _mixed_at(
        self,
        index: np.ndarray,
        others: np.ndarray,
        mix: Mix,
        yaw_deg: np.ndarray,
        backgrounds: np.ndarray,
        recolours: bool,
    ) -> Mixtures:
        """The same of persons mixed on the body with others (B,), on their own mesh or the turned one."""
        assert self._warped is not None
        angles = yaw_deg if mix.turned else np.zeros_like(yaw_deg)
        mixed = self._warped.mixtures(index, others, mix.shares, angles)
        pictures = self._before([view for view, _ in mixed], index, backgrounds, recolours)
        share = torch.tensor([share for _, share in mixed])
        return Mixtures(self._on_device(pictures), share.to(self._device))

    def _before(
        self, views: Sequence[Layer], index: np.ndarray, backgrounds: np.ndarray, recolours: bool
    ) -> np.ndarray:
        """Views of the persons of the images at `index` (B,) before the backgrounds of others (B,):
        (B, H, W, 3) uint8. recolours: whether in the colours of persons there."""
        if recolours:
            cameras = self._images.camera_id
            changes = [
                self._colours.change(*pair) for pair in zip(cameras[index], cameras[backgrounds], strict=True)
            ]
            views = [view.recoloured(*change) for view, change in zip(views, changes, strict=True)]
        pairs = zip(views, self._empty(backgrounds), strict=True)
        return np.stack([view.before(background) for view, background in pairs])

    @cached_property
    def _colours(self) -> CameraColours:
        return CameraColours.of(self._images.camera_id, self.with_mesh, self._person)

    def _person(self, position: int) -> np.ndarray:
        """The pixels (P, 3) of an image that show its person."""
        (image,) = self._images.load(np.array([position]))
        return image[self._share(position, 0) >= LIKELY]

    def _shares(self, index: np.ndarray, ring: int) -> Tensor:
        """How far each pixel of the images at `index` (B,) is the person's: (B, 1, H, W), 0 to 1."""
        shares = np.stack([self._share(int(position), ring) for position in index])
        return to_device(torch.from_numpy(shares)[:, None].float().div_(255.0), self._device)

    def _share(self, position: int, ring: int) -> np.ndarray:
        """The same of one image, of 255: see `person_share`."""

        def cut() -> np.ndarray:
            mask = self._mask(position)
            if mask is not None:
                mask = resize(mask, self._images.height_px, self._images.width_px)
            return person_share(self._view(position, 0) > 0, mask, ring)

        return self._kept(("person", position, ring), cut)

    def _empty(self, index: np.ndarray) -> np.ndarray:
        """The images at `index` (B,) without their persons: (B, H, W, 3) uint8."""
        if self._warped is not None:
            return self._warped.empty(index)
        images = zip(index, self._images.load(index), strict=True)
        return np.stack([self._background(int(position), image) for position, image in images])

    def _on_device(self, images: np.ndarray) -> Tensor:
        """(B, H, W, 3) uint8 → (B, 3, H, W), normalised."""
        return to_device(normalise(images), self._device)

    def _own_meshes(self, index: np.ndarray) -> Tensor:
        """The meshes of the images at `index` (B,) from the images' own viewpoints: (B, 1, H, W)."""
        return self._view_batch(index, np.zeros(len(index), np.int16))

    def _view_batch(self, index: np.ndarray, yaw_deg: Sequence[int] | np.ndarray) -> Tensor:
        views = [self._view(int(image), int(yaw)) for image, yaw in zip(index, yaw_deg, strict=True)]
        return to_device(normalise_mesh(np.stack(views)), self._device)

    def _view(self, image: int, yaw_deg: int) -> np.ndarray:
        """One view at the training size."""

        def decode() -> np.ndarray:
            native = self._views.load(self._images.image_id[image], yaw_deg)
            return resize(native, self._images.height_px, self._images.width_px)

        return self._kept((image, yaw_deg), decode)

    def _background(self, position: int, image: np.ndarray) -> np.ndarray:
        def fill() -> np.ndarray:
            size_px = self._images.height_px, self._images.width_px
            reach = person_reach(self._view(position, 0) > 0, self._mask(position), *size_px)
            return without_person(image, reach)

        return self._kept((position, None), fill)

    def _kept(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """What `make` gives, kept as bytes after the first time while there is room."""
        if key in self._cache:
            return self._cache[key]
        pixels = make()
        if self._cached_bytes + pixels.nbytes <= _CACHE_BYTES:
            self._cache[key] = pixels
            self._cached_bytes += pixels.nbytes
        return pixels
