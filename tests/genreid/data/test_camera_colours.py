"""Persons of one camera in the colours of another."""

from __future__ import annotations

import numpy as np

from genreid.data.camera_colours import CameraColours

CAMERA_ID = np.array([3, 3, 3, 8, 8, 9])


def person(position: int) -> np.ndarray:
    """Camera 8 sees half of the green, and 40 levels more of blue; of the person in camera 9 nothing is
    known."""
    pixels = (
        np.random.default_rng(0 if position in (0, 3) else 1).integers(40, 200, (60, 3)).astype(np.float64)
    )
    if CAMERA_ID[position] == 8:
        pixels = pixels * (1, 0.5, 1) + (0, 0, 40)
    return pixels[: 0 if CAMERA_ID[position] == 9 else 60]


def test_a_camera_that_dims_green_and_adds_blue() -> None:
    """Both persons of camera 3 are in camera 8 too."""
    colours = CameraColours.of(CAMERA_ID, np.array([0, 1, 3, 4]), person)
    assert colours.camera_id.tolist() == [3, 8]
    gain, offset = colours.change(3, 8)
    np.testing.assert_allclose(gain, [1, 0.5, 1], atol=1e-5)
    np.testing.assert_allclose(offset, [0, 0, 40], atol=1e-3)
    gain, offset = colours.change(8, 8)
    np.testing.assert_allclose([gain, offset], [[1, 1, 1], [0, 0, 0]], atol=1e-4)


def test_statistics_are_those_of_all_pixels() -> None:
    colours = CameraColours.of(CAMERA_ID, np.arange(6), person)
    for number, images in enumerate(([0, 1, 2], [3, 4], [0, 1, 2, 3, 4])):  # where nothing is known: all
        pixels = np.concatenate([person(image) for image in images])
        np.testing.assert_allclose(colours.mean[number], pixels.mean(0), rtol=1e-5)
        np.testing.assert_allclose(colours.deviation[number], pixels.std(0), rtol=1e-5)


def test_persons_of_one_colour_do_not_blow_up() -> None:
    colours = CameraColours.of(CAMERA_ID, np.arange(6), lambda position: np.full((5, 3), 10 * position))
    gain, offset = colours.change(9, 8)
    assert np.isfinite([gain, offset]).all()
    np.testing.assert_allclose(gain * 50 + offset, colours.mean[1], atol=1e-4)
