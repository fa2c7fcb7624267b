"""What is done to the regressor's pictures: how far each change goes, and that it is done evenly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from genreid.mesh.loss import Target
from genreid.training.regressor_data import Scenes, _develop, distort
from genreid.training.settings.regressor import DistortionSettings

HEIGHT, WIDTH = 32, 16
NUM = 400
CAMERA = torch.tensor([0.8, 0.1, 0.0])


def distorted(picture: np.ndarray | int = 100, **changes: float) -> Scenes:
    """One scene, of a flat grey if nothing else is given, distorted again and again.

    Its silhouette is what is red in the picture.
    """
    image = np.broadcast_to(np.uint8(picture), (1, HEIGHT, WIDTH, 3)).copy()
    silhouette = torch.from_numpy(image[..., 0].copy())
    target = Target(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10), CAMERA[None], silhouette)
    values: dict[str, Any] = dict.fromkeys(DistortionSettings.__dataclass_fields__, 0.0)
    settings = DistortionSettings(**{**values, **changes})
    return distort(Scenes(image, target), np.zeros(NUM, np.int64), settings, np.random.default_rng(0))


def spread_over(values: torch.Tensor, low: float, high: float) -> bool:
    """Within these bounds, and near both of them."""
    margin = 0.03 * (high - low)
    least, most = float(values.min()), float(values.max())
    return low - 1e-5 <= least < low + margin and high - margin < most <= high + 1e-5


def test_sizes_change_by_the_stated_factor_either_way() -> None:
    camera = distorted(scale=0.3).target.camera
    assert spread_over((camera[:, 0] / CAMERA[0]).log(), -np.log(1.3), np.log(1.3))
    assert (camera[:, 1:] == CAMERA[1:]).all()


def test_persons_are_shifted_by_a_share_of_either_side() -> None:
    """In units of half the longer side: 0.25 of 16 pixels is a quarter, of 32 pixels a half."""
    camera = distorted(shift=0.25).target.camera
    moved = camera[:, :1] * (camera[:, 1:] - CAMERA[1:])
    assert spread_over(moved[:, 0], -0.25, 0.25) and spread_over(moved[:, 1], -0.5, 0.5)
    assert (camera[:, 0] == CAMERA[0]).all()


def test_rolls_go_as_far_one_way_as_the_other() -> None:
    left = distorted(roll_deg=20.0).target.rotations[:, 0, :, 0]
    assert spread_over(torch.rad2deg(torch.atan2(left[:, 1], left[:, 0])), -20, 20)


def test_pictures_are_mirrored_as_often_as_stated() -> None:
    place = distorted(mirror=0.3).target.camera[:, 1]
    assert (place.abs() == CAMERA[1]).all()
    assert 90 < int((place < 0).sum()) < 150


def _person() -> np.ndarray:
    """(H, W, 3): a head to the left on a body, white on black, so that no motion leaves it as it is."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[4:9, 3:7] = picture[9:28, 4:11] = 255
    return picture


@pytest.mark.parametrize(
    "change",
    [
        {"mirror": 1.0},
        {"scale": 0.3},
        {"roll_deg": 25.0},
        {"shift": 0.2},
        {"mirror": 0.5, "scale": 0.2, "roll_deg": 15.0, "shift": 0.1},
    ],
)
def test_the_silhouette_moves_as_the_picture_does(change: dict[str, float]) -> None:
    scenes = distorted(_person(), **change)
    moved = scenes.target.silhouette.numpy()
    np.testing.assert_array_equal(moved, scenes.image[..., 0])
    assert (moved != _person()[..., 0]).any(axis=(1, 2)).mean() > 0.9


def test_what_hides_or_spoils_a_person_leaves_the_silhouette_alone() -> None:
    scenes = distorted(_person(), erase=1.0, soften=1.0, colour=0.5, noise=8.0)
    assert (scenes.target.silhouette.numpy() == _person()[..., 0]).all()
    assert (scenes.image[..., 0] != _person()[..., 0]).any(axis=(1, 2)).all()


def test_erased_rectangles_are_of_one_colour_and_may_lie_anywhere() -> None:
    pictures = distorted(erase=1.0).image
    borders = np.zeros(4, int)
    for picture in pictures:
        hole = (picture != 100).any(axis=2)
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert len(np.unique(picture[hole], axis=0)) == 1
        assert hole.sum() == len(rows) * len(columns)
        assert 3 <= len(rows) < 16 and 3 <= len(columns) < 12  # 0.1 to 0.5 of 32, 0.2 to 0.7 of 16
        borders += [rows[0] == 0, rows[-1] == HEIGHT - 1, columns[0] == 0, columns[-1] == WIDTH - 1]
    assert (borders > 5).all()


def test_a_picture_is_developed_by_its_formula() -> None:
    """mean + contrast·(gain·level − mean), a gain for each channel; the mean is over all of them."""
    rng = np.random.default_rng(1)
    images = rng.integers(40, 160, (3, 20, 10, 3), dtype=np.uint8)
    gain = rng.uniform(0.8, 1.2, (3, 3)).astype(np.float32)
    contrast = np.array([0.7, 1.0, 1.3], np.float32)
    lit = images * gain[:, None, None].astype(np.float64)
    mean = lit.mean(axis=(1, 2, 3), keepdims=True)
    expected = mean + contrast[:, None, None, None] * (lit - mean)
    _develop(images, gain, contrast, np.float32(0), np.arange(1, 4, dtype=np.uint64))
    np.testing.assert_allclose(images, expected.clip(0, 255), atol=0.501)


def test_noise_is_about_nothing_and_as_wide_as_stated() -> None:
    """Its shape is that of a sum of four: few values beyond two deviations, none beyond 3.5."""
    grain = distorted(128, noise=8.0).image.astype(float) - 128
    assert abs(grain.mean()) < 0.1
    assert grain.std() == pytest.approx(8, rel=0.02)
    assert np.abs(grain).max() < 3.5 * 8
    assert np.mean(np.abs(grain) > 2 * 8) == pytest.approx(0.042, abs=0.008)
    assert abs(np.corrcoef(grain[:, :, :-1].ravel(), grain[:, :, 1:].ravel())[0, 1]) < 0.02


def test_as_many_pictures_as_stated_lose_resolution() -> None:
    stripes = np.zeros((WIDTH, 3), np.uint8)
    stripes[1::2] = 200  # a pixel wide: no loss of resolution leaves them
    soft = distorted(stripes, soften=0.5).image
    contrast = np.abs(np.diff(soft[..., 0].astype(int), axis=2)).mean(axis=(1, 2))
    assert set(contrast[contrast > 150].tolist()) == {200}
    assert 160 < int((contrast < 150).sum()) < 240
