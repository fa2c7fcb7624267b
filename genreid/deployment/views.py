"""Generated views of any image: its body is estimated, turned, and painted with its appearance.

H×W is the training size; pictures are uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genreid.body.body import Body
from genreid.data.transforms import normalise_mesh, resize
from genreid.errors import GenreidError
from genreid.evaluation.generation import Painter
from genreid.mesh.estimator import MeshEstimator
from genreid.render.backend import Renderer
from genreid.render.views import render_views

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class MeshViews:
    """The grey views of an image's body: `views` (Y,H,W) uint8, one for each of `yaws_deg`, first 0."""

    yaws_deg: tuple[int, ...]
    views: np.ndarray


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
) -> MeshViews:
    """Estimate the body in one native image and draw it from all sides. GenreidError if there is none."""
    found = estimator.estimate([name], [image])
    if not found.valid[0]:
        raise GenreidError(
            f"{name}: the estimator {estimator.name} finds no body in it ({found.status[0]}); give a crop of "
            "one whole person"
        )
    height, width = (np.array([side]) for side in image.shape[:2])
    yaws = (0, *(yaw for yaw in yaws_deg if yaw != 0))
    (drawn,) = render_views(body, found.parameters, found.camera, height, width, yaws, renderer)
    return MeshViews(yaws, np.stack([resize(view, *size_px) for view in drawn]))


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
    painted = painter.paint(normalise_mesh(mesh.views), code.expand(len(mesh.views), -1))
    if other is None:
        return GeneratedSet(image, mesh, painted[0], painted[1:])
    other = resize(other, *size)
    second = painter.appearance(other[None])
    codes = [weight * code + (1 - weight) * second for weight in LAMBDAS]
    mixed = np.concatenate([painter.paint(normalise_mesh(mesh.views[:1]), one) for one in codes])
    return GeneratedSet(image, mesh, painted[0], painted[1:], other, mixed)
