"""A background: an image without its person."""

from __future__ import annotations

import numpy as np

from genreid.data.background import without_person

HEIGHT, WIDTH = 40, 24


def person() -> np.ndarray:
    view = np.zeros((HEIGHT, WIDTH), np.uint8)
    view[8:34, 8:15] = 180
    return view


def test_what_is_not_near_the_person_stays() -> None:
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    background = without_person(image, person())
    far = np.ones((HEIGHT, WIDTH), bool)
    far[6:36, 6:17] = False  # 5 % of 40 pixels: two around the body
    assert (background[far] == image[far]).all()
    assert not (background[8:34, 8:15] == image[8:34, 8:15]).all()


def test_clothes_that_stand_out_from_the_body_go_with_it() -> None:
    """Two pixels straight up, down and to either side."""
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    image[6:36, 8:15] = image[8:34, 6:17] = 250
    assert (without_person(image, person()) == 100).all()


def test_the_place_of_the_person_looks_like_what_is_beside_it() -> None:
    """In a background that is brighter from row to row, so is the place where somebody red was."""
    brightness = np.linspace(40, 200, HEIGHT)
    image = np.repeat(np.repeat(brightness[:, None, None], WIDTH, 1), 3, 2).astype(np.uint8)
    image[person() > 0] = (255, 0, 0)
    background = without_person(image, person()).astype(float)
    assert np.abs(background - brightness[:, None, None]).max() < 25
    assert np.abs(background[..., 0] - background[..., 1]).max() == 0


def test_a_person_who_fills_the_image_leaves_its_mean() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2] = 200
    background = without_person(image, np.full((HEIGHT, WIDTH), 90, np.uint8))
    assert (background == 100).all()
