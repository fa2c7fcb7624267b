"""Persons turned by the benchmark itself, beside the pictures that an evaluation measures with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genreid.body.body import load_body
from genreid.data.transforms import resize
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.true_views import TruePersons, true_views
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.truth import truth_table
from tests.genreid.synthetic.conftest import small_settings

HEIGHT_PX, WIDTH_PX = 32, 16
YAWS_DEG = (0, 90, 225)


class Images:
    height_px, width_px = HEIGHT_PX, WIDTH_PX

    def __init__(self, image_id: list[str]) -> None:
        self.image_id = image_id

    def __len__(self) -> int:
        return len(self.image_id)


class Rendered:
    """View shards, of which nothing but their angles is asked."""

    yaws_deg = YAWS_DEG

    def __init__(self, image_id: list[str]) -> None:
        self.image_ids = image_id


class Emptied:
    """Whom they stand in for: images without their persons, each of one grey."""

    def empty(self, index: np.ndarray) -> np.ndarray:
        return np.stack([np.full((HEIGHT_PX, WIDTH_PX, 3), 10 * position, np.uint8) for position in index])


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return Benchmark(load_body("open"), small_settings(), seed=3)


@pytest.fixture(scope="module")
def shown(benchmark: Benchmark) -> tuple[TruePersons, ViewedImages]:
    shots = benchmark.shots[2:5]
    truth = truth_table(benchmark, shots, [benchmark.render(shot) for shot in shots])
    images: Any = Images([shot.image_id for shot in shots])
    rendered: Any = Rendered(images.image_id)
    true_view = true_views(truth, benchmark.body)
    warped: Any = Emptied()
    return TruePersons(images, true_view, YAWS_DEG, warped), ViewedImages(images, rendered, true_view)


def test_they_are_the_persons_that_an_evaluation_sees(shown: tuple[TruePersons, ViewedImages]) -> None:
    persons, viewed = shown
    index, yaws = np.array([2, 0, 1, 2]), np.array([90, 225, 90, 225], np.int16)
    for position, yaw, view in zip(index, yaws, persons.views(index, yaws), strict=True):
        (picture,), (inside,) = viewed.true_views(np.array([position]), int(yaw))
        whole = view.share == 1
        assert whole.sum() > 30
        # Bytes that were averaged, or averages that were made bytes.
        assert np.abs(view.before(np.zeros_like(picture))[whole].astype(int) - picture[whole]).max() <= 1
        assert np.array_equal(view.share > 0.5, inside)
        assert np.array_equal(view.seen, view.share) and not view.filled.any()


def test_around_them_is_the_background_that_is_given(
    shown: tuple[TruePersons, ViewedImages], benchmark: Benchmark
) -> None:
    """By hand from the native picture: a pixel on the edge is part person, part background."""
    (view,) = shown[0].views(np.array([1]), np.array([90]))
    assert shown[0].empty(np.array([2, 1]))[:, 0, 0, 0].tolist() == [20, 10]
    background = np.random.default_rng(0).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    scene = benchmark.render(benchmark.shots[3], 90)
    share = resize(scene.silhouette.astype(np.float32), HEIGHT_PX, WIDTH_PX)[..., None]
    cut = resize(
        np.where(scene.silhouette[..., None], scene.image, 0).astype(np.float32), HEIGHT_PX, WIDTH_PX
    )
    assert ((share > 0) & (share < 1)).any() and (share == 0).any()
    assert np.abs(view.before(background) - (cut + (1 - share) * background)).max() < 2


def test_what_was_drawn_before_changes_nothing(shown: tuple[TruePersons, ViewedImages]) -> None:
    persons, viewed = shown
    others = TruePersons(viewed.images, viewed._true_view, YAWS_DEG, persons._warped)  # type: ignore[arg-type]
    first, second = persons.views(np.array([0, 1]), np.array([225, 90]))
    again = others.views(np.array([1, 0]), np.array([90, 225]))
    assert np.array_equal(again[0].person, second.person) and np.array_equal(again[1].person, first.person)
    assert not np.array_equal(first.person, persons.views(np.array([0]), np.array([90]))[0].person)
