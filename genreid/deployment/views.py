"""Generated views of any image: its body is estimated, turned, and painted with its appearance.

H×W is the training size; pictures are uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from genreid.body.body import Body
from genreid.data.transforms import normalise_mesh, resize
from genreid.errors import GenreidError
from genreid.evaluation.generation import Painter
from genreid.mesh.estimator import MeshEstimator
from genreid.render.backend import Renderer
from genreid.render.views import render_views
from genreid.warping.canvas import make_canvas
from genreid.warping.images import WarpedImages
from genreid.warping.warper import Warper

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class MeshViews:
    """The grey views of an image's body: `views` (Y,H,W) uint8, one for each of `yaws_deg`, first 0; and what
    a generator is `shown` of them, (Y,1,H,W) or canvases (Y,7,H,W).
    """

    yaws_deg: tuple[int, ...]
    views: np.ndarray
    shown: Tensor


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
) -> MeshViews:
    """Estimate the body in one native image and draw it from all sides. GenreidError if there is none.

    repairs: whether they are for a generator that repairs warped views.
    """
    found = estimator.estimate([name], [image])
    if not found.valid[0]:
        raise GenreidError(
            f"{name}: the estimator {estimator.name} finds no body in it ({found.status[0]}); give a crop of "
            "one whole person"
        )
    height, width = (np.array([side]) for side in image.shape[:2])
    yaws = (0, *(yaw for yaw in yaws_deg if yaw != 0))
    (drawn,) = render_views(body, found.parameters, found.camera, height, width, yaws, renderer)
    views = np.stack([resize(view, *size_px) for view in drawn])
    shown = normalise_mesh(views)
    if repairs:
        one = _OneImage(image, *size_px)
        persons = WarpedImages(Warper(body, renderer), one, found.parameters, found.camera, found.mask)
        always = np.zeros(len(yaws), np.int64)
        shown = make_canvas(persons.views(always, np.array(yaws)), shown, persons.empty(always))
    return MeshViews(yaws, views, shown)


@dataclass(frozen=True)
class _OneImage:
    """An image set of one native image."""

    image: np.ndarray
    height_px: int
    width_px: int

    def load_native(self, position: int) -> np.ndarray:
        return self.image


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
    codes = [weight * code + (1 - weight) * second for weight in LAMBDAS]
    mixed = np.concatenate([painter.paint(mesh.shown[:1], one) for one in codes])
    return GeneratedSet(image, mesh, painted[0], painted[1:], other, mixed)
