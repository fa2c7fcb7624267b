"""Generated views of an image: which code is painted on which mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.body.body import BodyParameters, load_body
from genreid.data.transforms import normalise_mesh
from genreid.deployment.pictures import search_picture, views_picture
from genreid.deployment.views import LAMBDAS, MeshViews, generate_views, mesh_views
from genreid.errors import GenreidError
from genreid.evaluation.generation import Painter
from genreid.mesh.shards import MeshEstimates
from genreid.models.initialisation import build_encoder, build_generator
from genreid.render.backend import choose_renderer
from tests.genreid.models.small import ENCODER, GENERATOR

SIZE = 32, 16
RNG = np.random.default_rng(0)
IMAGE, OTHER = RNG.integers(0, 256, (2, 64, 32, 3), dtype=np.uint8)


class OneBody:
    """An estimator that sees somebody upright in every image, or nobody."""

    name = "one body"

    def __init__(self, status: str) -> None:
        self.status = status

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        upright = BodyParameters(torch.tensor([[np.pi, 0.0, 0.0]]), torch.zeros(1, 69), torch.zeros(1, 10))
        score = np.ones(1, np.float32)
        return MeshEstimates([self.status], score, upright, torch.tensor([[0.9, 0.0, 0.0]]))


@pytest.fixture(scope="module")
def painter() -> Painter:
    encoder = build_encoder(ENCODER, 0)
    return Painter(build_generator(GENERATOR, encoder.appearance_dim, ENCODER.num_stripes, 0), encoder)


def some_mesh() -> MeshViews:
    views = RNG.integers(0, 256, (3, *SIZE), dtype=np.uint8)
    return MeshViews((0, 90, 180), views, normalise_mesh(views))


def test_rotated_views_are_the_images_code_on_turned_meshes(painter: Painter) -> None:
    mesh = some_mesh()
    made = generate_views(painter, IMAGE, mesh)
    code = painter.appearance(made.image[None])
    assert made.image.shape == (*SIZE, 3) and made.mixed is None
    for yaw, picture in enumerate((made.reconstruction, *made.rotated)):
        expected = painter.paint(normalise_mesh(mesh.views[yaw][None]), code)[0]
        assert np.abs(picture.astype(int) - expected).max() <= 1, "but for rounding between batches"


def test_mixtures_go_from_the_other_person_to_the_own(painter: Painter) -> None:
    mesh = some_mesh()
    made = generate_views(painter, IMAGE, mesh, OTHER)
    assert made.mixed is not None and made.other is not None and len(made.mixed) == len(LAMBDAS)
    other = painter.paint(normalise_mesh(mesh.views[:1]), painter.appearance(made.other[None]))[0]
    assert np.abs(made.mixed[0].astype(int) - other).max() <= 1
    assert np.abs(made.mixed[-1].astype(int) - made.reconstruction).max() <= 1
    assert np.abs(made.mixed[0].astype(int) - made.mixed[-1]).max() > 1


def test_a_body_is_drawn_from_its_own_side_first() -> None:
    body, renderer = load_body(), choose_renderer("zbuffer", torch.device("cpu"))
    mesh = mesh_views(IMAGE, "a.png", OneBody("ok"), body, renderer, (180, 0, 90), SIZE)
    assert mesh.yaws_deg == (0, 180, 90) and mesh.views.shape == (3, *SIZE)
    front, back, side = (view > 0 for view in mesh.views)
    assert (front ^ back[:, ::-1]).mean() < 0.1, "from behind, the outline is that of the front, mirrored"
    assert side.sum() < 0.8 * front.sum()


def test_nobody_is_an_error() -> None:
    with pytest.raises(GenreidError, match=r"a.png: the estimator one body finds no body .* \(no_person\)"):
        renderer = choose_renderer("zbuffer", torch.device("cpu"))
        mesh_views(IMAGE, "a.png", OneBody("no_person"), load_body(), renderer, (0, 90), SIZE)


def test_pictures_hold_what_they_show(painter: Painter) -> None:
    small = np.full((*SIZE, 3), 77, np.uint8)
    found = [np.full((*SIZE, 3), 80 + 10 * i, np.uint8) for i in range(3)]
    picture = search_picture(small, found, [0.9, 0.5, 0.1])
    assert all((picture == 80 + 10 * i).all(axis=2).sum() >= SIZE[0] * SIZE[1] for i in range(3))
    without, mixed = (
        views_picture(generate_views(painter, IMAGE, some_mesh(), other)) for other in (None, OTHER)
    )
    assert mixed.shape[0] > without.shape[0] and mixed.dtype == np.uint8


def test_who_repairs_is_shown_a_body_in_the_images_own_colours() -> None:
    """An image of one red person: turned, the person is red and the rest is what is around it."""
    image = np.full((64, 32, 3), 60, np.uint8)
    image[4:60, 6:26] = (200, 30, 30)
    renderer = choose_renderer("zbuffer", torch.device("cpu"))
    mesh = mesh_views(
        image, "red.png", OneBody("ok"), load_body("open"), renderer, (0, 90), SIZE, repairs=True
    )
    encoder = build_encoder(ENCODER, 0)
    settings = replace(GENERATOR, paints="views")
    generator = build_generator(settings, encoder.appearance_dim, ENCODER.num_stripes, 0)
    made = generate_views(Painter(generator, encoder), image, mesh)
    assert mesh.shown.shape == (2, 7, *SIZE) and made.rotated.shape == (1, *SIZE, 3)
    body = mesh.shown[1, 6].numpy() == 1
    assert body.sum() > 20
    assert np.abs(made.rotated[0][body].astype(int) - (200, 30, 30)).mean() < 25
    assert np.abs(made.rotated[0][:, 0].astype(int) - 60).max() < 25


def test_who_repairs_is_shown_mixtures_on_the_first_ones_body() -> None:
    """A red person and a blue one, seen alike: by a half of each, red and blue are equal."""
    red, blue = (np.full((64, 32, 3), 60, np.uint8) for _ in range(2))
    red[4:60, 6:26], blue[4:60, 6:26] = (200, 30, 30), (30, 30, 200)
    renderer = choose_renderer("zbuffer", torch.device("cpu"))
    given = OneBody("ok"), load_body("open"), renderer, (0, 90), SIZE
    mesh = mesh_views(red, "red.png", *given, repairs=True, other=("blue.png", blue))
    encoder = build_encoder(ENCODER, 0)
    generator = build_generator(
        replace(GENERATOR, paints="views"), encoder.appearance_dim, ENCODER.num_stripes, 0
    )
    made = generate_views(Painter(generator, encoder), red, mesh, blue)
    assert made.mixed is not None and made.mixed.shape == (len(LAMBDAS), *SIZE, 3)
    assert mesh.mixtures is not None
    body = mesh.mixtures[0, 6].numpy() == 1
    first, half, last = (made.mixed[place][body].astype(int).mean(0) for place in (0, 2, -1))
    assert first[2] > first[0] + 100 and last[0] > last[2] + 100
    assert abs(half[0] - half[2]) < 25
    with pytest.raises(GenreidError, match=r"blue\.png: the estimator one body finds no body"):
        given = Second(), *given[1:]
        mesh_views(red, "red.png", *given, repairs=True, other=("blue.png", blue))


class Second(OneBody):
    """Sees nobody in the second image."""

    def __init__(self) -> None:
        super().__init__("ok")

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        self.status = "ok" if image_ids[0] == "red.png" else "no_person"
        return super().estimate(image_ids, images)
