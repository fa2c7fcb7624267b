"""Measuring generated views: what is painted from what, judged against what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from genreid.data.transforms import denormalise, normalise, normalise_mesh
from genreid.errors import GenreidError
from genreid.evaluation.generation import (
    GenerationMeasurements,
    Painter,
    ViewedImages,
    identity_kept,
    measure_generation,
)
from genreid.evaluation.similarity import frechet_distance, l1, ssim, view_errors
from genreid.models.initialisation import build_encoder, build_generator
from genreid.models.settings import EncoderSettings, GeneratorSettings
from genreid.progress import Silent
from genreid.warping.view import WarpedView

NUM = 5
YAWS_DEG = (90, 180)


class Images:
    """Five flat pictures, of 10, 20, …, 50."""

    height_px, width_px = 64, 32
    image_id = tuple(f"image{i}" for i in range(NUM))

    def __len__(self) -> int:
        return NUM

    def load(self, index: np.ndarray) -> np.ndarray:
        return np.stack([np.full((64, 32, 3), 10 * (i + 1), np.uint8) for i in index])


class Views:
    """Views of all images but image1, at twice the training size: each of one grey, see `mesh_grey`."""

    yaws_deg = (0, *YAWS_DEG)
    image_ids = tuple(image_id for image_id in Images.image_id if image_id != "image1")

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        return np.full((128, 64), mesh_grey(int(image_id[-1]), yaw_deg), np.uint8)


def mesh_grey(image: int, yaw_deg: int) -> int:
    return yaw_deg // 10 + 2 * image


class StubPainter:
    """Codes are a picture's grey; a painted picture is code + mesh grey, striped so that it has structure."""

    def appearance(self, images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images[:, :1, 0, 0].astype(np.float32))

    def paint(self, shown: torch.Tensor, appearance: torch.Tensor) -> np.ndarray:
        greys = (127.5 * (shown[:, 0, 0, 0] + 1)).round().tolist()
        pairs = zip(greys, appearance, strict=True)
        return np.stack([_painted(float(code), int(grey)) for grey, code in pairs])


def _painted(code: float, mesh: int) -> np.ndarray:
    picture = np.full((64, 32, 3), round(code) + mesh, np.uint8)
    picture[::8] += 40
    return picture


def _true_view(image_id: str, yaw_deg: int) -> tuple[np.ndarray, np.ndarray]:
    number = int(image_id[-1])
    silhouette = np.zeros((128, 64), bool)
    silhouette[20 : 100 - 10 * number, 10:50] = True
    return np.full((128, 64, 3), 7 * number + yaw_deg // 20, np.uint8), silhouette


@pytest.fixture(scope="module")
def judge() -> Any:
    encoder = build_encoder(EncoderSettings("resnet18", 8, "small", 1, 4, "average", None, "none"), 0)
    encoder(torch.randn(8, 3, 64, 32))
    return encoder.eval()


def _viewed(with_truth: bool) -> ViewedImages:
    return ViewedImages(Images(), Views(), _true_view if with_truth else None)  # type: ignore[arg-type]


def _measured(judge: Any, with_truth: bool, batch_size: int = 3) -> GenerationMeasurements:
    viewed = _viewed(with_truth)
    return measure_generation(
        StubPainter(),  # type: ignore[arg-type]
        judge,
        viewed,
        viewed.position,
        batch_size=batch_size,
        progress=Silent(),
    )


def _rows() -> Iterator[tuple[int, int, float, float]]:
    """Row, image, its grey, and the grey of its partner: the next image with views."""
    images = [0, 2, 3, 4]
    for row, image in enumerate(images):
        yield row, image, 10.0 * (image + 1), 10.0 * (images[(row + 1) % 4] + 1)


def test_images_with_views_and_their_truth_at_the_training_size() -> None:
    viewed = _viewed(with_truth=True)
    np.testing.assert_array_equal(viewed.position, [0, 2, 3, 4])
    assert viewed.yaws_deg == YAWS_DEG
    meshes = viewed.meshes(np.array([0, 4]), 90)
    assert meshes.shape == (2, 64, 32) and meshes[0].max() == 9 and (meshes[1] == 17).all()
    pictures, silhouettes = viewed.true_views(np.array([0, 4]), 180)
    assert pictures.shape == (2, 64, 32, 3) and pictures[1, 0, 0, 0] == 28 + 9
    assert silhouettes.dtype == bool and silhouettes[0].sum() == 40 * 20 and silhouettes[1].sum() == 20 * 20


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_measurements_follow_each_image(judge: Any, batch_size: int) -> None:
    measured = _measured(judge, with_truth=True, batch_size=batch_size)
    assert measured.rotated is not None and measured.original is not None
    assert measured.rotated.l1.shape == measured.original.person_ssim.shape == (4, 2)
    for row, image, grey, partner in _rows():
        own = Images().load(np.array([image]))
        rebuilt = _painted(grey, mesh_grey(image, 0))[None]
        assert measured.reconstruction_ssim[row] == pytest.approx(ssim(rebuilt, own)[0])
        assert measured.reconstruction_l1[row] == pytest.approx(l1(rebuilt, own)[0])
        _same_embedding(judge, measured.real_embedding[row], own)
        _same_embedding(
            judge, measured.mixed_embedding[row], _painted((grey + partner) / 2, mesh_grey(image, 0))[None]
        )
        for column, yaw_deg in enumerate(YAWS_DEG):
            painted = _painted(grey, mesh_grey(image, yaw_deg))[None]
            _same_embedding(judge, measured.rotated_embedding[row, column], painted)
            truth = _viewed(True).true_views(np.array([image]), yaw_deg)
            expected, kept = view_errors(painted, *truth), view_errors(own, *truth)
            assert measured.rotated.person_l1[row, column] == pytest.approx(expected.person_l1[0])
            assert measured.rotated.ssim[row, column] == pytest.approx(expected.ssim[0])
            assert measured.original.person_l1[row, column] == pytest.approx(kept.person_l1[0])


def _same_embedding(judge: Any, row: np.ndarray, picture: np.ndarray) -> None:
    with torch.no_grad():
        expected = judge(normalise(picture)).embedding[0].numpy()
    np.testing.assert_allclose(row, expected, atol=1e-5)


def test_figures_are_the_means(judge: Any) -> None:
    measured = _measured(judge, with_truth=True)
    figures = measured.figures()
    assert measured.rotated is not None and measured.original is not None
    assert figures["rotated_person_l1"] == pytest.approx(measured.rotated.person_l1.mean())
    assert figures["original_ssim"] == pytest.approx(measured.original.ssim.mean())
    assert figures["reconstruction_l1"] == pytest.approx(measured.reconstruction_l1.mean())
    assert len(figures) == 10


def test_without_truth_there_are_no_errors_to_true_views(judge: Any) -> None:
    measured = _measured(judge, with_truth=False)
    assert measured.rotated is None and measured.original is None
    assert set(measured.figures()) == {"reconstruction_ssim", "reconstruction_l1"}


def test_frechet_figures_compare_equal_numbers(judge: Any) -> None:
    measured = _measured(judge, with_truth=False)
    reference = np.random.default_rng(0).normal(size=(9, judge.embedding_dim))
    figures = measured.frechet_figures(reference)
    by_yaw = [frechet_distance(measured.rotated_embedding[:, i], reference) for i in range(2)]
    assert figures["rotated_frechet"] == pytest.approx(sum(by_yaw) / 2)
    assert figures["mixed_frechet"] == pytest.approx(frechet_distance(measured.mixed_embedding, reference))
    assert figures["real_frechet"] == pytest.approx(frechet_distance(measured.real_embedding, reference))


def _hand_made() -> GenerationMeasurements:
    """Two persons on two axes; turned by 180 degrees the first looks like the second."""
    person = np.eye(2, dtype=np.float32)
    rotated = np.stack([person, person[[1, 1]]], axis=1)
    nothing = np.zeros(2)
    return GenerationMeasurements(
        np.arange(2), YAWS_DEG, nothing, nothing, None, None, person, rotated, person
    )


def _identity_kept(other_camera: list[list[float]]) -> dict[str, float]:
    """A gallery of both persons' own pictures in the queries' camera, and one of each in another camera."""
    gallery = np.array([[1, 0], [0, 1], *other_camera], np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    return identity_kept(
        _hand_made(),
        np.array([7, 8]),
        np.array([1, 1]),
        gallery,
        np.array([7, 8, 7, 8]),
        np.array([1, 1, 2, 2]),
    )


def test_identity_kept_is_rank_1_of_each_yaw() -> None:
    assert _identity_kept([[0.9, 0.4], [0.4, 0.9]]) == {
        "identity_of_images": 1.0,
        "identity_kept": 0.75,
        "identity_kept_90": 1.0,
        "identity_kept_180": 0.5,
    }


def test_a_persons_own_camera_does_not_count() -> None:
    """In the other camera each looks like the other one; only the own camera's pictures would be right."""
    assert set(_identity_kept([[0.4, 0.9], [0.9, 0.4]]).values()) == {0.0}


def test_images_without_views_are_refused() -> None:
    class NoViews(Views):
        image_ids = ()

    with pytest.raises(GenreidError, match=r"0 of 5 images have mesh views, at \[0, 90, 180\] degrees"):
        ViewedImages(Images(), NoViews())  # type: ignore[arg-type]


def test_the_painter_gives_the_networks_pictures() -> None:
    encoder = build_encoder(EncoderSettings("resnet18", 8, "small", 1, 4, "average", None, "none"), 0)
    generator = build_generator(GeneratorSettings("codes", 8, 1, 16, 8), encoder.appearance_dim, 4, 0)
    painter = Painter(generator, encoder)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), dtype=np.uint8)
    meshes = np.random.default_rng(1).integers(0, 256, (2, 64, 32), dtype=np.uint8)
    codes = painter.appearance(images)
    pictures = painter.paint(normalise_mesh(meshes), codes)
    with torch.no_grad():
        mesh = torch.from_numpy(meshes / 127.5 - 1).float()[:, None]
        expected = generator(mesh, encoder(normalise(images)).appearance)
    assert not encoder.training and not codes.requires_grad
    back = normalise(pictures)
    inside = (pictures > 0) & (pictures < 255)
    difference = (back - expected).abs().permute(0, 2, 3, 1).numpy()
    assert inside.mean() > 0.5 and difference[inside].max() < 0.5 / 255 / 0.22


class Persons:
    """Warped persons of one grey: the image's number, the angle, and whom it is mixed with."""

    def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        return [self._view(10 * i + yaw // 90) for i, yaw in zip(index, yaw_deg, strict=True)]

    def mixtures(
        self, index: np.ndarray, other: np.ndarray, share: list[float], yaw_deg: np.ndarray
    ) -> list[tuple[WarpedView, float]]:
        assert (yaw_deg == 0).all()
        pairs = zip(index, other, share, strict=True)
        return [(self._view(10 * (much * i + (1 - much) * o)), much) for i, o, much in pairs]

    def empty(self, index: np.ndarray) -> np.ndarray:
        return np.stack([np.full((64, 32, 3), 200 + i, np.uint8) for i in index])

    def _view(self, grey: float) -> WarpedView:
        share = np.zeros((64, 32), np.float32)
        share[10:50, 8:24] = 0.5
        return WarpedView(grey * share[..., None].repeat(3, 2), share, share / 2, share / 4)


def test_who_repairs_is_shown_the_warped_person_before_its_own_background() -> None:
    viewed = ViewedImages(Images(), Views(), persons=Persons())  # type: ignore[arg-type]
    index = np.array([0, 3])
    shown = viewed.shown(index, 90)
    assert shown.shape == (2, 7, 64, 32)
    pictures = denormalise(shown[:, 1:4])
    for row, image in enumerate(index):
        assert torch.equal(shown[row, 0], normalise_mesh(viewed.meshes(index, 90))[row, 0])
        assert (pictures[row, 20, 10] == round(0.5 * (10 * image + 1) + 0.5 * (200 + image))).all()
        assert (pictures[row, 0, 0] == 200 + image).all()
    assert shown[0, 4:, 20, 10].tolist() == [0.25, 0.125, 0.5]


def test_who_repairs_mixes_persons_on_the_body() -> None:
    viewed = ViewedImages(Images(), Views(), persons=Persons())  # type: ignore[arg-type]
    mixed = viewed.mixed(None, np.array([0, 4]), np.array([3, 2]), 0.25)  # type: ignore[arg-type]
    assert [int(picture[20, 10, 0]) for picture in mixed] == [
        round(0.5 * 22.5 + 0.5 * 200),
        round(0.5 * 25 + 0.5 * 204),
    ]
