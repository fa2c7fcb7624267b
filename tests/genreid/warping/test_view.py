"""Pictures of coloured bodies against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from genreid.render.zbuffer import Fragments, rasterise
from genreid.warping.texture import Texture
from genreid.warping.view import Layer, WarpedView, draw_view

FACES = np.array([[0, 1, 2], [2, 1, 3]])
POINTS = np.array([[10, 20, 1], [40, 18, 1], [12, 90, 1], [44, 95, 1]], np.float32)
TEXTURE = Texture(
    np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [100, 100, 100]], np.uint8),
    np.array([255, 255, 0, 0], np.uint8),
    np.array([0, 0, 255, 128], np.uint8),
)


def _square() -> Fragments:
    return rasterise(POINTS, FACES, 128, 64)


def test_covered_pixels_take_the_mean_of_their_corners() -> None:
    pixels = _square()
    view = draw_view(TEXTURE, pixels, FACES)
    values = np.column_stack([TEXTURE.colour, TEXTURE.seen / 255, TEXTURE.filled / 255])
    for row, column in np.argwhere(pixels.covered)[::37]:
        corners = FACES[pixels.face_index[row, column]]
        expected = sum(w * values[c] for w, c in zip(pixels.barycentric[row, column], corners, strict=True))
        assert view.person[row, column] == pytest.approx(expected[:3], abs=1e-3)
        assert view.seen[row, column] == pytest.approx(expected[3], abs=1e-5)
        assert view.filled[row, column] == pytest.approx(expected[4], abs=1e-5)
        assert view.share[row, column] == 1


def test_around_the_body_is_a_ring_of_its_nearest_colour_that_fades() -> None:
    """128 pixels high: a ring of two, and a pixel to fade."""
    pixels = _square()
    view = draw_view(TEXTURE, pixels, FACES)
    inside = np.argwhere(pixels.covered)
    for row, column in np.argwhere(~pixels.covered)[::11]:
        apart = np.hypot(*(inside - (row, column)).T)
        share = np.clip(3 - apart.min(), 0, 1)
        assert view.share[row, column] == pytest.approx(share, abs=0.1)  # OpenCV's distances are chamfered
        assert view.seen[row, column] == view.filled[row, column] == 0
        if share > 0.2:
            near = inside[apart <= apart.min() + 0.3]
            colours = view.person[near[:, 0], near[:, 1]]
            apart_in_colour = np.abs(view.person[row, column] / view.share[row, column] - colours).max(axis=1)
            assert apart_in_colour.min() < 1e-2


@pytest.mark.parametrize(("height", "ring"), [(20, 1), (64, 1), (95, 1), (97, 2), (128, 2), (256, 4)])
def test_the_ring_is_a_64th_of_the_height(height: int, ring: int) -> None:
    """Beside a box that begins at column 20: whole pixels of the ring, then nothing."""
    corners = np.array([[20, 2, 1], [40, 2, 1], [20, height - 2, 1], [40, height - 2, 1]], np.float32)
    share = draw_view(TEXTURE, rasterise(corners, FACES, height, 64), FACES).share[height // 2]
    assert share[: 20 - ring].max() < 1e-3 and share[20 - ring : 40].min() > 0.999


def test_nobody_in_the_view_leaves_the_background_as_it_is() -> None:
    view = draw_view(TEXTURE, rasterise(POINTS + 1000, FACES, 32, 16), FACES)
    background = np.random.default_rng(0).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    assert not view.share.any()
    assert (view.before(background) == background).all()


def test_a_person_before_a_background_by_hand() -> None:
    view = WarpedView(*(np.full((1, 2, 3), 60, np.float32), np.array([[0.5, 1.0]], np.float32)), *_nothing())
    composed = view.before(np.full((1, 2, 3), 100, np.uint8))
    assert composed[0].tolist() == [[110] * 3, [60] * 3]


def test_eight_bits_keep_a_layer_to_half_a_level() -> None:
    rng = np.random.default_rng(0)
    share = rng.random((9, 7), np.float32)
    layer = Layer(share[..., None] * rng.uniform(0, 255, (9, 7, 3)).astype(np.float32), share)
    packed = layer.packed()
    assert packed.dtype == np.uint8 and packed.shape == (9, 7, 4)
    kept = Layer.unpacked(packed)
    assert np.abs(kept.person - layer.person).max() <= 0.5
    assert np.abs(kept.share - layer.share).max() <= 0.5 / 255 + 1e-6
    assert (kept.packed() == packed).all()


def test_another_cameras_colours_are_those_of_the_person_alone() -> None:
    """Half of the first pixel, all of the second; gain 2 and offset −30, within 0 to 255."""
    layer = Layer(np.array([[[30, 5, 0], [100, 10, 150]]], np.float32), np.array([[0.5, 1.0]], np.float32))
    gain, offset = np.full(3, 2, np.float32), np.full(3, -30, np.float32)
    assert layer.recoloured(gain, offset).person.tolist() == [[[45, 0, 0], [170, 0, 255]]]


def _nothing() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32)


def test_a_smaller_view_mixes_the_person_with_nothing_else() -> None:
    """White on a black background, halved: a border pixel is as white as the person covers it."""
    view = draw_view(Texture(np.full((4, 3), 200, np.uint8), *(np.zeros(4, np.uint8),) * 2), _square(), FACES)
    small = view.resized(64, 32)
    blocks = view.share.reshape(64, 2, 32, 2).mean((1, 3))
    assert np.allclose(small.share, blocks, atol=1e-5)
    assert np.allclose(small.person, 200 * blocks[..., None], atol=1e-2)
