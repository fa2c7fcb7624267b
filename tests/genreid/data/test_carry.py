"""Colours go where the places say, at native and at training size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.data.carry import carry, keep, normalise_carried
from genreid.data.transforms import IMAGENET_MEAN, IMAGENET_STD


def _places(height: int, width: int) -> np.ndarray:
    """Each pixel's own centre."""
    v, u = np.mgrid[:height, :width].astype(np.float32) + 0.5
    return np.stack([u, v], axis=2)


def test_places_of_the_image_itself_give_it_back() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    carried = carry(image, _places(8, 6))
    np.testing.assert_array_equal(carried[..., :3], image)
    assert (carried[..., 3] == 255).all()


def test_a_shift_shifts_and_what_is_not_known_is_nothing() -> None:
    image = np.random.default_rng(1).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    source = _places(8, 6) + [2, 1]
    source[:, 4:] = np.nan
    source[7] = np.nan
    carried = carry(image, source.astype(np.float32))
    np.testing.assert_array_equal(carried[:7, :4, :3], image[1:, 2:])
    assert not carried[:, 4:].any() and not carried[7].any()


def test_half_known_pixels_have_the_colour_of_the_known_half() -> None:
    """Native views are twice the training size; of each training pixel's four, the left two are known."""
    image = np.full((4, 3, 3), 200, np.uint8)
    source = _places(8, 6)
    source[:, 1::2] = np.nan
    carried = carry(image, source)
    assert (carried[..., :3] == 200).all()
    assert carried[..., 3] == pytest.approx(128, abs=1)


def test_keep_leaves_the_image_where_it_is() -> None:
    image = np.random.default_rng(2).integers(1, 256, (4, 3, 3), dtype=np.uint8)
    mask = np.zeros((8, 6), bool)
    mask[:4] = True
    kept = keep(image, mask)
    np.testing.assert_array_equal(kept[:2, :, :3], image[:2])
    assert (kept[:2, :, 3] == 255).all() and not kept[2:].any()


def test_networks_see_normalised_colours_times_what_is_known() -> None:
    carried = np.zeros((1, 1, 2, 4), np.uint8)
    carried[0, 0, 0] = [255, 0, 51, 51]
    got = normalise_carried(carried)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    expected = (torch.tensor([1.0, 0.0, 0.2]) - mean) / std * 0.2
    torch.testing.assert_close(got[0, :3, 0, 0], expected)
    assert got[0, 3, 0, 0].item() == pytest.approx(0.2)
    assert not got[0, :, 0, 1].any()


def test_what_is_known_of_the_smallest_share_of_a_pixel_is_kept() -> None:
    """One native pixel of 16 × 16: a share of 1 of 255."""
    shared = np.zeros((32, 16), bool)
    shared[3, 5] = True
    image = np.full((2, 1, 3), (10, 20, 30), np.uint8)
    assert keep(image, shared).tolist() == [[[10, 20, 30, 1]], [[0, 0, 0, 0]]]
