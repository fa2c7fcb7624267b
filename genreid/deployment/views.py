"""Generated views of any image: its body is estimated, turned, and painted with its appearance.

H×W is the training size; pictures are uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.data.transforms import normalise_mesh, resize
from genreid.errors import GenreidError
from genreid.evaluation.generation import Painter
from genreid.mesh.estimator import MeshEstimator
from genreid.mesh.shards import MeshEstimates
from genreid.render.backend import Renderer
from genreid.render.views import render_views
from genreid.warping.canvas import make_canvas
from genreid.warping.images import WarpedImages
from genreid.warping.warper import Warper

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class MeshViews:
    """The grey views of an image's body: `views` (Y,H,W) uint8, one for each of `yaws_deg`, first 0; and what
    a generator is `shown` of them, (Y,1,H,W) or canvases (Y,7,H,W). mixtures: canvases (L,7,H,W) of the
    person mixed with another on its own body, by LAMBDAS, for a generator that repairs.
    """

    yaws_deg: tuple[int, ...]
    views: np.ndarray
    shown: Tensor
    mixtures: Tensor | None = None


@dataclass(frozen=True)
class GeneratedSet:
    """What the generator makes of an image.

    image (H,W,3) and its mesh views; reconstruction (H,W,3); rotated: a picture for each yaw but 0. With a
    second person: other (H,W,3), and mixed: a picture for each weight of LAMBDAS, the share of the image's
    own identity.
    """

    image: np.ndarray
    mesh: MeshViews
    reconstruction: np.ndarray
    rotated: np.ndarray
    other: np.ndarray | None = None
    mixed: np.ndarray | None = None


def mesh_views(
    image: np.ndarray,
    name: str,
    estimator: MeshEstimator,
    body: Body,
    renderer: Renderer,
    yaws_deg: Sequence[int],
    size_px: tuple[int, int],
    *,
    repairs: bool = False,
    other: tuple[str, np.ndarray] | None = None,
) -> MeshViews:
    """Estimate the body in one native image and draw it from all sides. GenreidError if there is none.

    repairs: whether they are for a generator that repairs warped views; other: name and native image of a
    second person, to be mixed with the first one on its body for such a generator.
    """
    found = _body_in(image, name, estimator)
    height, width = (np.array([side]) for side in image.shape[:2])
    yaws = (0, *(yaw for yaw in yaws_deg if yaw != 0))
    (drawn,) = render_views(body, found.parameters, found.camera, height, width, yaws, renderer)
    views = np.stack([resize(view, *size_px) for view in drawn])
    shown = normalise_mesh(views)
    if repairs:
        natives = [image] if other is None else [image, other[1]]
        bodies = [found] if other is None else [found, _body_in(other[1], other[0], estimator)]
        persons = _persons(natives, bodies, Warper(body, renderer), size_px)
        always = np.zeros(len(yaws), np.int64)
        canvases = make_canvas(persons.views(always, np.array(yaws)), shown, persons.empty(always))
        if other is None:
            return MeshViews(yaws, views, canvases)
        first, second = (np.full(len(LAMBDAS), place) for place in (0, 1))
        mixed = [view for view, _ in persons.mixtures(first, second, LAMBDAS, first)]
        own_mesh = shown[:1].expand(len(LAMBDAS), -1, -1, -1)
        return MeshViews(yaws, views, canvases, make_canvas(mixed, own_mesh, persons.empty(first)))
    return MeshViews(yaws, views, shown)


def _body_in(image: np.ndarray, name: str, estimator: MeshEstimator) -> MeshEstimates:
    found = estimator.estimate([name], [image])
    if not found.valid[0]:
        raise GenreidError(
            f"{name}: the estimator {estimator.name} finds no body in it ({found.status[0]}); give a crop of "
            "one whole person"
        )
    return found


def _persons(
    natives: Sequence[np.ndarray],
    bodies: Sequence[MeshEstimates],
    warper: Warper,
    size_px: tuple[int, int],
) -> WarpedImages:
    parameters = BodyParameters(
        *(torch.cat([getattr(one.parameters, name) for one in bodies]) for name in vars(bodies[0].parameters))
    )
    camera = torch.cat([one.camera for one in bodies])
    images = _Images(natives, *size_px)
    return WarpedImages(warper, images, parameters, camera, lambda place: bodies[place].mask(0))


@dataclass(frozen=True)
class _Images:
    """An image set of a few native images."""

    natives: Sequence[np.ndarray]
    height_px: int
    width_px: int

    def load_native(self, position: int) -> np.ndarray:
        return self.natives[position]


def generate_views(
    painter: Painter, image: np.ndarray, mesh: MeshViews, other: np.ndarray | None = None
) -> GeneratedSet:
    """Paint the image's appearance on its own and on its turned mesh (docs/method.md, Generator pretraining:
    x̂, x_θ, x_mix).

    image, other: native pictures; other: of a second person, to be mixed with the first on the first's mesh.
    """
    size = mesh.views.shape[1:]
    image = resize(image, *size)
    code = painter.appearance(image[None])
    painted = painter.paint(mesh.shown, code.expand(len(mesh.views), -1))
    if other is None:
        return GeneratedSet(image, mesh, painted[0], painted[1:])
    other = resize(other, *size)
    second = painter.appearance(other[None])
    codes = torch.cat([weight * code + (1 - weight) * second for weight in LAMBDAS])
    shown = mesh.shown[:1].expand(len(LAMBDAS), -1, -1, -1) if mesh.mixtures is None else mesh.mixtures
    mixed = painter.paint(shown, codes)
    return GeneratedSet(image, mesh, painted[0], painted[1:], other, mixed)
