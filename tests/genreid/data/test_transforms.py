"""Resize, normalisation and augmentation against numbers worked out by hand."""

import numpy as np
import pytest
import torch

from genreid.data.settings import AugmentationSettings
from genreid.data.transforms import augment, denormalise, normalise, normalise_mesh, resize


def test_shrinking_by_two_averages_four_pixels() -> None:
    image = 4 * np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert resize(image, 2, 2).tolist() == [[10, 18], [42, 50]]


def test_image_and_view_stay_aligned_under_the_resize() -> None:
    silhouette = np.zeros((128, 64), np.uint8)
    silhouette[40:90, 20:44] = 255
    image = np.repeat(silhouette[..., None], 3, axis=2)
    assert np.array_equal(resize(silhouette, 64, 32), resize(image, 64, 32)[..., 0])
    assert np.array_equal(resize(silhouette, 64, 32)[20:45, 10:22], np.full((25, 12), 255))


def test_normalise_is_the_imagenet_statistics_and_denormalise_its_inverse() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 3, 3), dtype=np.uint8)
    pixels = normalise(images)
    expected = (images[1, 4, 2, 0] / 255 - 0.485) / 0.229
    assert pixels[1, 0, 4, 2].item() == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(denormalise(pixels), images)


def test_mesh_views_span_minus_one_to_one() -> None:
    views = np.array([[[0, 255]]], np.uint8)
    assert normalise_mesh(views).tolist() == [[[[-1.0, 1.0]]]]


def test_flip_alone_mirrors_every_image() -> None:
    images = torch.arange(24.0).view(2, 1, 3, 4)
    flipped = augment(
        images, AugmentationSettings(flip=1.0, pad_px=0, erase=0.0, colour=0.0), np.random.default_rng(0)
    )
    assert torch.equal(flipped, images.flip(3))


def test_each_image_is_flipped_for_itself_as_often_as_asked() -> None:
    images = torch.rand(400, 3, 2, 4)
    settings = AugmentationSettings(flip=0.3, pad_px=0, erase=0.0, colour=0.0)
    after = augment(images, settings, np.random.default_rng(0))
    flipped = [torch.equal(image, before.flip(2)) for image, before in zip(after, images, strict=True)]
    kept = [torch.equal(image, before) for image, before in zip(after, images, strict=True)]
    assert all(one != other for one, other in zip(flipped, kept, strict=True))
    assert 90 < sum(flipped) < 150


def test_pad_and_crop_is_a_shift_with_zeros() -> None:
    images = torch.arange(1.0, 13.0).view(1, 1, 3, 4).repeat(50, 1, 1, 1)
    settings = AugmentationSettings(flip=0.0, pad_px=2, erase=0.0, colour=0.0)
    cropped = augment(images, settings, np.random.default_rng(0))
    shifts = set()
    for image in cropped:
        matches = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(image[0], _shifted(images[0, 0], down, right))
        ]
        assert len(matches) >= 1
        shifts.update(matches)
    assert len(shifts) > 10


def test_erasing_sets_a_rectangle_of_the_stated_area_and_leaves_the_input_alone() -> None:
    images = torch.ones(200, 3, 32, 16)
    settings = AugmentationSettings(flip=0.0, pad_px=0, erase=1.0, colour=0.0)
    erased = augment(images, settings, np.random.default_rng(0))
    assert images.min() == 1
    borders = set()
    for image in erased:
        hole = (image[0] == 0).numpy()
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert hole.sum() == box  # one full rectangle
        assert 0.01 <= box / hole.size <= 0.45
        ends = {
            "top": rows[0] == 0,
            "bottom": rows[-1] == 31,
            "left": columns[0] == 0,
            "right": columns[-1] == 15,
        }
        borders |= {border for border, touched in ends.items() if touched}
    assert len(borders) == 4  # it may lie anywhere


def test_colour_is_one_gain_and_offset_a_channel_of_an_image() -> None:
    images = torch.rand(40, 3, 6, 4)
    settings = AugmentationSettings(flip=0.0, pad_px=0, erase=0.0, colour=0.4)
    strayed = augment(images, settings, np.random.default_rng(0))
    gains = []
    for before, after in zip(images.flatten(0, 1).numpy(), strayed.flatten(0, 1).numpy(), strict=True):
        gain, offset = np.polyfit(before.ravel(), after.ravel(), 1)
        assert np.allclose(gain * before + offset, after, atol=1e-5)
        assert 0.6 <= gain <= 1.4 and abs(offset) <= 0.4
        gains.append(gain)
    assert np.std(gains) > 0.15


def _shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    height, width = image.shape
    result = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[row, column] = image[row - down, column - right]
    return result
