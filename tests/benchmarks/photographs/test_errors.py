"""Errors of views, on pictures whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.photographs.errors import aligned, errors_of, map_distance, middles
from benchmarks.photographs.judge import Judge
from benchmarks.photographs.ways import Shown
from tests.benchmarks.photographs.conftest import SIZE_PX

HEIGHT, WIDTH = SIZE_PX


def standing_at(left: int, top: int, upper: int, lower: int) -> Shown:
    """A box of 10×40 pixels on grey, its halves of two levels; the waist is where they meet."""
    pictures = np.full((1, HEIGHT, WIDTH, 3), 100, np.uint8)
    share = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    share[0, top : top + 40, left : left + 10] = 255
    pictures[0, top : top + 20, left : left + 10] = upper
    pictures[0, top + 20 : top + 40, left : left + 10] = lower
    return Shown(pictures, share, np.array([(top + 20) / HEIGHT]))


def errors_between(shown: Shown, true: Shown, judge: Judge) -> dict[str, float]:
    maps = [judge.look(one.pictures)[1] for one in (shown, true)]
    found = errors_of(shown, true, *maps)
    return {name: float(values[0]) for name, values in vars(found).items()}


def test_the_truth_moved_aside_has_no_error(judge: Judge) -> None:
    true, moved = standing_at(8, 10, 200, 20), standing_at(13, 16, 200, 20)
    found = errors_between(moved, true, judge)
    assert found["ssim"] == pytest.approx(1, abs=1e-6)
    assert max(found[name] for name in ("colour_upper", "colour_lower", "l1")) < 1e-5 < found["maps"]
    unmoved = errors_between(Shown(moved.pictures, moved.share, moved.waist, settled=True), true, judge)
    assert unmoved["l1"] > 0.1 and unmoved["colour_upper"] < 1e-5
    assert errors_between(true, true, judge)["maps"] < 1e-6


def test_colours_are_of_each_half(judge: Judge) -> None:
    found = errors_between(standing_at(8, 10, 200, 71), standing_at(8, 10, 149, 20), judge)
    assert found["colour_upper"] == pytest.approx(51 / 255) and found["colour_lower"] == pytest.approx(0.2)
    assert found["l1"] == pytest.approx(0.2)


def test_nobody_has_no_error(judge: Judge) -> None:
    true = standing_at(8, 10, 200, 20)
    nobody = Shown(true.pictures, np.zeros_like(true.share), true.waist)
    found = errors_between(true, nobody, judge)
    assert all(np.isnan(value) for value in found.values())
    assert not np.isnan(errors_between(nobody, true, judge)["l1"])


def test_middles() -> None:
    shown = standing_at(8, 10, 0, 0)
    across, down = middles(shown.share)[0]
    assert across == pytest.approx(12.5) and down == pytest.approx(29, abs=0.6)
    assert np.isnan(middles(np.zeros((1, 4, 4), np.uint8))).all()


def test_pictures_move_by_their_middles() -> None:
    true, other = standing_at(8, 10, 200, 20), standing_at(13, 16, 200, 20)
    np.testing.assert_array_equal(aligned(other, true)[0, 10:50, 8:18], true.pictures[0, 10:50, 8:18])


def test_map_distance_is_the_loop() -> None:
    rng = np.random.default_rng(1)
    maps, true = rng.normal(size=(2, 2, 5, 4, 2)).astype(np.float32)
    share = np.zeros((2, 16, 8), np.uint8)
    share[0, 4:8, :4], share[0, 8:12, :2] = 255, 255
    share[1] = 255
    cell = {0: {(1, 0): 1.0, (2, 0): 0.5}, 1: {(row, column): 1.0 for row in range(4) for column in range(2)}}
    for one, weights in cell.items():
        total = 0.0
        for (row, column), weight in weights.items():
            a, b = maps[one, :, row, column], true[one, :, row, column]
            total += weight * (1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        found = map_distance(maps, true, share)[one]
        assert found == pytest.approx(total / sum(weights.values()), abs=1e-5)
