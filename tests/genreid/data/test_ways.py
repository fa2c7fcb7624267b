"""The pictures of an image that its embedding is the mean over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from genreid.data.settings import WayName
from genreid.data.transforms import denormalise
from genreid.data.ways import NUM_COPIES, copied, looks, mirrored, where_possible

HEIGHT, WIDTH = 64, 32
MIDDLE = np.array([(HEIGHT - 1) / 2, (WIDTH - 1) / 2])


class Few:
    """Four pictures of noise, which say what was asked for."""

    def __init__(self) -> None:
        self.image_id = ["a", "b", "c", "d"]
        self.pictures = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH, 3), np.uint8)

    def load(self, index: np.ndarray) -> np.ndarray:
        return self.pictures[index]


def _pictures(way: WayName, index: list[int]) -> list[np.ndarray]:
    return [denormalise(look(np.array(index))) for look in looks(way, Few())]


def test_the_image_comes_first_in_every_way() -> None:
    for way in ("image", "mirror", "copies"):
        assert_array_equal(_pictures(way, [2, 0])[0], Few().pictures[[2, 0]])
    assert len(_pictures("image", [0])) == 1
    assert len(_pictures("copies", [0])) == 8


def test_a_mirror_image_is_left_for_right_pixel_by_pixel() -> None:
    _, mirror = _pictures("mirror", [3])
    for row in range(HEIGHT):
        for column in range(WIDTH):
            assert_array_equal(mirror[0, row, column], Few().pictures[3, row, WIDTH - 1 - column])


def test_a_copy_depends_on_its_image_alone() -> None:
    alone = [_pictures("copies", [position]) for position in range(4)]
    together = _pictures("copies", [3, 1, 0])
    for number, copies in enumerate(together):
        for place, position in enumerate((3, 1, 0)):
            assert_array_equal(copies[place], alone[position][number][0])


def test_copies_of_images_and_numbers_differ() -> None:
    picture = Few().pictures[0]
    made = [copied(picture, name, number).tobytes() for name in "ab" for number in range(1, NUM_COPIES + 1)]
    assert len(set(made)) == 2 * NUM_COPIES


def _spots() -> tuple[np.ndarray, np.ndarray]:
    """Three soft spots, each in a channel of its own, and where they are: (row, column)."""
    places = np.array([(20.0, 10.0), (44.0, 10.0), (30.0, 22.0)])
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    channels = [255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8) for y, x in places]
    return np.rint(np.stack(channels, -1)).astype(np.uint8), places


def _centroids(picture: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    weights = picture.astype(float)
    weights[weights < 20] = 0  # the edge, carried on
    total = weights.sum((0, 1))
    return np.stack([(weights * grid[..., None]).sum((0, 1)) / total for grid in (rows, columns)], -1)


@pytest.mark.parametrize("number", range(1, NUM_COPIES + 1))
def test_a_copy_is_scaled_a_little_shifted_a_little_and_mirrored_if_odd(number: int) -> None:
    picture, places = _spots()
    strays = []
    for name in ("x", "y", "z"):
        found = _centroids(copied(picture, name, number))
        # Between the spots: shifts cancel, and lengths tell the scale, both ways.
        down, across = found[1] - found[0], found[2] - found[0]
        scale = down[0] / 24
        assert 0.91 < scale < 1.09
        assert across[1] / 12 == pytest.approx(-scale if number % 2 else scale, abs=0.02)
        assert down[1] == pytest.approx(0, abs=0.1)
        sign = np.array([1, -1 if number % 2 else 1])
        moved = found - (MIDDLE + scale * sign * (places - MIDDLE))
        np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=0.15)
        assert (np.abs(moved[0]) < np.array([HEIGHT, WIDTH]) * 0.04 + 0.1).all()
        strays.append((scale, *moved[0]))
    assert np.ptp(strays, axis=0).min() > 1e-3


def test_beyond_a_picture_lies_its_edge() -> None:
    grey = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    for number in range(1, NUM_COPIES + 1):
        assert_array_equal(copied(grey, "x", number), grey)


def test_an_image_without_a_body_is_itself() -> None:
    few, asked = Few(), []

    def turned(index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        asked.append((index.tolist(), yaw_deg.tolist()))
        return few.load(index) // 2

    possible = where_possible(turned, few, np.array([True, False, True, False]))
    before = few.pictures.copy()
    made = possible(np.array([3, 2, 0, 1]), np.array([45, 90, 135, 180]))
    assert_array_equal(made[[0, 3]], before[[3, 1]])
    assert_array_equal(made[[1, 2]], before[[2, 0]] // 2)
    assert_array_equal(few.pictures, before)
    assert_array_equal(possible(np.array([1]), np.array([45])), before[[1]])
    assert asked == [([2, 0], [90, 135])], "nobody is turned who has no body"


def test_turned_views_are_asked_for_by_angle() -> None:
    few, asked = Few(), []

    def turned(index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        asked.append((index.tolist(), yaw_deg.tolist()))
        return mirrored(few.load(index)) // 2

    made = looks("turned", few, turned, (90, 180))
    pictures = [denormalise(look(np.array([1, 3]))) for look in made]
    assert asked == [([1, 3], [90, 90]), ([1, 3], [180, 180])]
    assert_array_equal(pictures[0], few.pictures[[1, 3]])
    assert_array_equal(pictures[2], few.pictures[[1, 3]][:, :, ::-1] // 2)
