"""Stripe colours: what they see, and what they must not see."""

import numpy as np

from genreid.data.colour import stripe_colours

COLOURS = ((200, 30, 30), (30, 30, 200), (30, 160, 40), (220, 210, 60))


def crop(top: tuple[int, ...], bottom: tuple[int, ...], background: int) -> np.ndarray:
    image = np.full((64, 32, 3), background, np.uint8)
    image[8:36, 8:24], image[36:60, 8:24] = top, bottom
    return image


def test_persons_match_across_cameras_of_different_light() -> None:
    """Two cameras, one darker and bluer with another background: the nearest image is the same person."""
    people = [(top, bottom) for top in COLOURS for bottom in COLOURS]
    bright = [crop(*person, background=180) for person in people]
    dark = [(crop(*person, background=60) * np.array([0.5, 0.55, 0.7])).astype(np.uint8) for person in people]
    colours = stripe_colours(np.stack(bright + dark), np.repeat([0, 1], len(people)))
    assert np.allclose(np.linalg.norm(colours, axis=1), 1, atol=1e-5)
    nearest = (colours[: len(people)] @ colours[len(people) :].T).argmax(1)
    assert nearest.tolist() == list(range(len(people)))


def test_the_background_beside_the_person_does_not_count() -> None:
    images = np.stack([crop(COLOURS[0], COLOURS[1], 100), crop(COLOURS[2], COLOURS[3], 100)])
    other = images.copy()
    other[:, :, :8], other[:, :, 24:] = 10, 250
    camera_id = np.zeros(2, np.int16)
    assert np.allclose(stripe_colours(images, camera_id), stripe_colours(other, camera_id))


def test_a_lonely_image_and_copies_get_unit_rows() -> None:
    lonely, other = crop(COLOURS[0], COLOURS[1], 100), crop(COLOURS[2], COLOURS[3], 100)
    colours = stripe_colours(np.stack([lonely, other, other]), np.array([0, 1, 1]))
    assert np.allclose(np.linalg.norm(colours, axis=1), 1, atol=1e-5)
    assert colours[0] @ colours[1] < 0.9, "the lonely image still has the colours that tell it from others"


def test_two_images_of_a_camera_are_as_far_from_its_mean_as_one_another() -> None:
    """Whatever others show: held against each other alone, they stand on opposite sides."""
    images = [crop(COLOURS[n], COLOURS[n - 1], 100) for n in range(4)]
    colours = stripe_colours(np.stack(images), np.array([0, 0, 1, 2]))
    np.testing.assert_allclose(colours[0], -colours[1], atol=1e-5)


def test_without_cameras_all_images_share_one_standard() -> None:
    images = np.stack([crop(top, bottom, 90) for top in COLOURS for bottom in COLOURS])
    unknown = stripe_colours(images, np.full(len(images), -1, np.int16))
    assert np.array_equal(unknown, stripe_colours(images, np.zeros(len(images), np.int16)))
