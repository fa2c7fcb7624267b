"""Where an image shows its person."""

from __future__ import annotations

import numpy as np

from genreid.data.cutting import finds_somebody, person_reach, person_share, ring_px


def body() -> np.ndarray:
    there = np.zeros((8, 6), bool)
    there[3, 2] = True
    return there


def test_the_mask_is_the_share_and_the_body_serves_without_one() -> None:
    mask = np.zeros((8, 6), np.uint8)
    mask[1, 1], mask[5, 4] = 128, 40
    assert np.array_equal(person_share(body(), mask, 2), mask)
    assert np.array_equal(person_share(body(), None), 255 * body())
    mask[1, 1] = 127
    ring = np.zeros((8, 6), np.uint8)
    ring[1:6, 0:5] = 255
    for nobody in (None, mask):
        assert not finds_somebody(nobody)
        assert np.array_equal(person_share(body(), nobody, 2), ring)


def test_what_may_be_the_person_is_in_the_body_or_likely_in_the_mask() -> None:
    """At half the size, a pixel of which a quarter may be the person's."""
    mask = np.zeros((8, 6), np.uint8)
    mask[0, 5], mask[7, 0], mask[7, 5] = 128, 127, 255
    expected = np.zeros((4, 3), bool)
    expected[1, 1] = expected[0, 2] = expected[3, 2] = True
    assert np.array_equal(person_reach(body(), mask, 4, 3), expected)
    expected[0, 2] = expected[3, 2] = False
    assert np.array_equal(person_reach(body(), None, 4, 3), expected)


def test_a_ring_is_a_pixel_for_every_64_of_height() -> None:
    assert [ring_px(height) for height in (16, 64, 128, 256)] == [1, 1, 2, 4]
