"""The ways of showing a person from another side, and the controls beside them.

B pictures at the size H×W of N photographs. A share says how far each pixel is the person's, of 255; it is
nothing where nobody was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.photographs.crops import Photographs
from genreid.body.body import Body
from genreid.data.cutting import LIKELY, no_masks
from genreid.data.transforms import normalise_mesh, resize
from genreid.evaluation.bodies import Bodies
from genreid.evaluation.generation import Painter
from genreid.mesh.shards import MeshEstimates
from genreid.render.backend import Renderer
from genreid.render.views import render_views
from genreid.warping.canvas import make_canvas
from genreid.warping.images import WarpedImages
from genreid.warping.view import WarpedView
from genreid.warping.warper import Warper

_ASIDE_PX = 2


@dataclass(frozen=True)
class Shown:
    """pictures: (B, H, W, 3) uint8. share: (B, H, W) uint8. waist: (B,) where the pelvis stands, of the
    height, 0 at the top. settled: whether the person already stands where the true one does, so that nothing
    is to be moved."""

    pictures: np.ndarray
    share: np.ndarray
    waist: np.ndarray
    settled: bool = False


Way = Callable[[np.ndarray, int], Shown]
"""Positions (B,) and an angle in degrees → the persons of these photographs, turned by it."""


class People:
    """Where an estimator sees the persons of N photographs.

    share: (N, H, W) uint8. waist: (N,). found: (N,) bool. use_masks: False for the bodies' outlines alone.
    """

    def __init__(
        self, photographs: Photographs, meshes: MeshEstimates, warper: Warper, *, use_masks: bool = True
    ) -> None:
        mask = meshes.mask if use_masks else no_masks
        self.photographs, self.meshes, self.found = photographs, meshes, meshes.valid
        self.persons = WarpedImages(warper, photographs, meshes.parameters, meshes.camera, mask)
        native = np.array([image.shape[:2] for image in photographs.natives])
        self.native_px = native[:, 0], native[:, 1]
        self.waist = Bodies.of(self.persons, meshes, *self.native_px).waist
        self.share = np.zeros((len(photographs), photographs.height_px, photographs.width_px), np.uint8)
        for position in np.flatnonzero(self.found):
            self.share[position] = self.persons.share(int(position))

    def as_they_are(self, index: np.ndarray, *, settled: bool = False) -> Shown:
        """The photographs at `index` (B,) themselves."""
        return Shown(self.photographs.load(index), self.share[index], self.waist[index], settled)


def kept(people: People) -> Way:
    """The image, unturned."""
    return lambda index, yaw_deg: people.as_they_are(index)


def in_two_colours(people: People, colours: Callable[[Shown], np.ndarray]) -> Way:
    """The image, its person painted in one colour above the waist and one below.

    What such a figure calls good tells no pictures apart. colours: (B, 2, 3) of the halves.
    """

    def make(index: np.ndarray, yaw_deg: int) -> Shown:
        shown = people.as_they_are(index)
        height_px = people.photographs.height_px
        below = np.arange(height_px) + 0.5 > shown.waist[:, None] * height_px
        upper, lower = (half[:, None, None] for half in np.nan_to_num(colours(shown)).swapaxes(0, 1))
        flat = np.where(below[..., None, None], lower, upper)
        share = shown.share[..., None] / 255
        mixed = share * flat + (1 - share) * shown.pictures
        return Shown(np.rint(mixed).astype(np.uint8), shown.share, shown.waist)

    return make


def nearest_other(people: People, rows: np.ndarray, *, turned: bool) -> Way:
    """The photograph of another person, in the same camera, that looks most like the image.

    rows: (N, D) unit rows of all photographs. turned: only among those from the side that is asked for.
    """
    photographs = people.photographs

    def make(index: np.ndarray, yaw_deg: int) -> Shown:
        usable = photographs.camera[index, None] == photographs.camera
        usable &= photographs.person[index, None] != photographs.person
        if turned:
            wanted = (photographs.heading_deg[index, None] + yaw_deg) % 360
            usable &= photographs.heading_deg == wanted
        similarity = np.where(usable, rows[index] @ rows.T, -np.inf)
        return people.as_they_are(similarity.argmax(1))

    return make


def next_angle(people: People) -> Way:
    """A true photograph of the person, 45 degrees beside the angle that is asked for, on the side farther
    from the image; the one on the other side where that is missing, and the image itself at last."""

    def make(index: np.ndarray, yaw_deg: int) -> Shown:
        beyond = 45 if yaw_deg % 360 <= 180 else -45
        far, near = (people.photographs.turned(index, yaw_deg + step) for step in (beyond, -beyond))
        return people.as_they_are(np.where(far >= 0, far, np.where(near >= 0, near, index)))

    return make


def true_aside(people: People) -> Way:
    """The true photograph itself, two pixels to the side: what a figure makes of the smallest error."""

    def make(index: np.ndarray, yaw_deg: int) -> Shown:
        shown = people.as_they_are(people.photographs.turned(index, yaw_deg), settled=True)
        pictures, share = (_moved_right(part) for part in (shown.pictures, shown.share))
        return Shown(pictures, share, shown.waist, settled=True)

    return make


def warped(people: People) -> Way:
    """Warped along the estimated bodies, before the image's own background; the image where there is none."""

    def make(index: np.ndarray, yaw_deg: int) -> Shown:
        there = people.found[index]
        shown = people.as_they_are(index)
        if there.any():
            index = index[there]
            views = people.persons.views(index, np.full(len(index), yaw_deg))
            pairs = zip(views, people.persons.empty(index), strict=True)
            shown.pictures[there] = np.stack([view.before(background) for view, background in pairs])
            shown.share[there] = _shares(views)
        return shown

    return make


def drawn_unturned(people: People) -> Way:
    """The same at the image's own angle, whichever is asked for: what the drawing costs, without the turn."""
    draw = warped(people)
    return lambda index, yaw_deg: draw(index, 0)


def repaired(people: People, painter: Painter, body: Body, renderer: Renderer) -> Way:
    """The same, corrected by a generator that repairs."""

    def make(index: np.ndarray, yaw_deg: int) -> Shown:
        there = people.found[index]
        shown = people.as_they_are(index)
        if there.any():
            index = index[there]
            codes = painter.appearance(shown.pictures[there])
            views = people.persons.views(index, np.full(len(index), yaw_deg))
            mesh = normalise_mesh(_grey(people, index, yaw_deg, body, renderer))
            shown.pictures[there] = painter.paint(
                make_canvas(views, mesh, people.persons.empty(index)), codes
            )
            shown.share[there] = _shares(views)
        return shown

    return make


def _moved_right(pictures: np.ndarray) -> np.ndarray:
    """(B, H, W, …), each row moved to the right; its first pixel fills the gap."""
    gap = np.repeat(pictures[:, :, :1], _ASIDE_PX, axis=2)
    return np.concatenate([gap, pictures[:, :, :-_ASIDE_PX]], axis=2)


def _shares(views: list[WarpedView]) -> np.ndarray:
    return np.stack([np.rint(255 * view.share) for view in views]).astype(np.uint8)


def _grey(people: People, index: np.ndarray, yaw_deg: int, body: Body, renderer: Renderer) -> np.ndarray:
    """(B, H, W) uint8, the bodies themselves, turned."""
    found = people.meshes.select(index)
    height_px, width_px = (side[index] for side in people.native_px)
    drawn = render_views(body, found.parameters, found.camera, height_px, width_px, (yaw_deg,), renderer)
    size_px = people.photographs.height_px, people.photographs.width_px
    return np.stack([resize(view, *size_px) for (view,) in drawn])


def is_person(share: np.ndarray) -> np.ndarray:
    """Shares of any shape → bool, where the person is rather than not."""
    return share >= LIKELY
