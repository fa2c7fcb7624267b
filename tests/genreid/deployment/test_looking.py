"""Pictures of any size, embedded in each way, against the embeddings of their pictures one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genreid.body.body import load_body
from genreid.data.background import without_person
from genreid.data.transforms import normalise, resize
from genreid.data.ways import copied
from genreid.deployment.looking import Looker, Turner
from genreid.mesh.mean_pose import MeanPoseEstimator
from genreid.mesh.shards import MeshEstimates
from genreid.models.initialisation import build_encoder
from genreid.render.backend import choose_renderer
from genreid.warping.warper import Warper
from tests.genreid.models.small import ENCODER

CPU, SIZE = torch.device("cpu"), (32, 16)
BODY = load_body("open")
ENCODER_OF_TEST = build_encoder(ENCODER, 0).eval()
NAMES = ["a.png", "b.png", "c.png"]
IMAGES = [
    np.random.default_rng(number).integers(0, 256, (40 + number, 20, 3), np.uint8) for number in range(3)
]


class NobodyInB:
    """The mean pose in all images but the second."""

    name = "test"

    def estimate(self, image_ids: Sequence[str], images: Sequence[np.ndarray]) -> MeshEstimates:
        found = MeanPoseEstimator(BODY).estimate(image_ids, images)
        rows = np.flatnonzero([name == "b.png" for name in image_ids])
        return found.fill(rows, MeshEstimates.without_mesh(["no_person"] * len(rows)))


TURNER = Turner(NobodyInB(), Warper(BODY, choose_renderer("zbuffer", CPU)))


def mean_of(pictures: Sequence[np.ndarray]) -> np.ndarray:
    total = np.zeros(ENCODER_OF_TEST.embedding_dim)
    for picture in pictures:
        with torch.no_grad():
            vector = ENCODER_OF_TEST(normalise(picture[None])).embedding[0].double().numpy()
        total += vector / np.sqrt((vector**2).sum())
    return total / np.sqrt((total**2).sum())


def embedded(way: str, turner: Turner | None = None) -> tuple[np.ndarray, np.ndarray]:
    looker = Looker(ENCODER_OF_TEST, way, SIZE, CPU, turner)  # type: ignore[arg-type]
    return looker.embed(NAMES, IMAGES)


def test_alone_mirrored_and_copied() -> None:
    small = [resize(image, *SIZE) for image in IMAGES]
    pictures = {
        "image": [[image] for image in small],
        "mirror": [[image, np.flip(image, 1)] for image in small],
        "copies": [
            [image, *(copied(image, name, number) for number in range(1, 8))]
            for name, image in zip(NAMES, small, strict=True)
        ],
    }
    for way, of_images in pictures.items():
        rows, num = embedded(way)
        assert num.tolist() == [len(of_images[0])] * 3
        for row, shown in zip(rows, of_images, strict=True):
            np.testing.assert_allclose(row, mean_of(shown), atol=3e-6)


def test_turned_before_its_own_background_and_alone_where_nobody_is_found() -> None:
    rows, num = embedded("turned", TURNER)
    assert num.tolist() == [8, 1, 8]
    np.testing.assert_allclose(rows[1], mean_of([resize(IMAGES[1], *SIZE)]), atol=3e-6)
    warper = TURNER.warper
    for position in (0, 2):
        image = IMAGES[position]
        found = TURNER.estimator.estimate([NAMES[position]], [image])
        body = warper.bodies(found.parameters, found.camera, *np.array(image.shape[:2])[:, None])
        texture = warper.textures([image], body)
        shown = [resize(image, *SIZE)]
        empty = background_of(image, *warper.outlines(body))
        for yaw_deg in range(45, 360, 45):
            (view,) = warper.views(texture, body, np.array([yaw_deg]))
            shown.append(view.resized(*SIZE).before(empty))
        np.testing.assert_allclose(rows[position], mean_of(shown), atol=3e-6)


def background_of(image: np.ndarray, outline: np.ndarray) -> np.ndarray:
    shown = resize(outline.astype(np.uint8) * 255, *SIZE)
    return without_person(resize(image, *SIZE), shown)


def test_a_row_does_not_depend_on_its_batch() -> None:
    whole, _ = embedded("turned", TURNER)
    looker = Looker(ENCODER_OF_TEST, "turned", SIZE, CPU, TURNER)
    for position in range(3):
        one, _ = looker.embed(NAMES[position : position + 1], IMAGES[position : position + 1])
        np.testing.assert_allclose(one[0], whole[position], atol=3e-6)


def test_the_views_of_a_person_differ_from_the_image() -> None:
    turned, _ = embedded("turned", TURNER)
    alone, _ = embedded("image")
    assert (np.abs(turned - alone).max(1)[[0, 2]] > 1e-3).all()
