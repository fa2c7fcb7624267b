"""Colours of views held against other images of the person, and whether that says what true views say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from genreid.body.body import load_body
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.transforms import denormalise, normalise
from genreid.evaluation.bodies import Bodies
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.retrieval import Part
from genreid.evaluation.similarity import view_errors
from genreid.evaluation.true_views import true_views
from genreid.evaluation.view_colours import People, draw_turns, half_colours, measure_colours
from genreid.mesh.shards import estimates_of
from genreid.render.backend import choose_renderer
from genreid.render.views import render_views
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.truth import truth_table
from tests.genreid.synthetic.conftest import small_settings

HEIGHT, WIDTH = 8, 4
YAWS_DEG = (90, 180, 270)


def test_halves_meet_at_the_waist_and_half_a_pixel_counts_half() -> None:
    picture = np.zeros((4, 2, 3), np.uint8)
    picture[0], picture[1], picture[2:] = 200, 100, [[(0, 90, 30), (0, 30, 30)]]
    share = np.array([[255, 0], [51, 51], [0, 255], [0, 255]], np.uint8)
    upper, lower = half_colours(picture, share, 0.5)
    assert upper == pytest.approx([(200 + 0.4 * 100) / 1.4] * 3) and lower == pytest.approx([0, 30, 30])
    above, below = half_colours(picture, share, 0.26)
    assert above == pytest.approx([200] * 3) and below[0] == pytest.approx(0.4 * 100 / 2.4)
    assert np.isnan(half_colours(picture, share, 1.2)[1]).all(), "nothing is below a waist below the image"


def part_of(ids: Sequence[int], cameras: Sequence[int], pictures: np.ndarray) -> Part:
    rows = [
        {
            "image_id": f"{n:03d}",  # the manifest sorts them
            "path": f"{n:03d}",
            "split": "query",
            "camera_id": camera,
            "person_id": person,
            "status": "ok",
        }
        for n, (person, camera) in enumerate(zip(ids, cameras, strict=True))
    ]
    height, width = pictures.shape[1:3]
    images: Any = Pictures([row["image_id"] for row in rows], pictures)
    return Part(Manifest.from_rows(rows, ManifestInfo("tiny", "images", height, width, "open")), images)


class Pictures:
    def __init__(self, image_id: list[Any], pictures: np.ndarray) -> None:
        self.image_id, self._pictures = image_id, pictures
        self.height_px, self.width_px = pictures.shape[1:3]

    def __len__(self) -> int:
        return len(self.image_id)

    def load(self, index: np.ndarray) -> np.ndarray:
        return self._pictures[index]

    def load_native(self, position: int) -> np.ndarray:
        return self._pictures[position]


class Middle:
    """Everybody stands in the middle half."""

    def share(self, position: int) -> np.ndarray:
        share = np.zeros((HEIGHT, WIDTH), np.uint8)
        share[:, 1:3] = 255
        return share


def bodies_of(heading_deg: Sequence[float], missing: Sequence[int] = ()) -> Bodies:
    num, persons = len(heading_deg), Middle()
    has_body = np.ones(num, bool)
    has_body[list(missing)] = False
    heading, waist = np.array(heading_deg, np.float32), np.full(num, 0.5, np.float32)
    return Bodies(persons, has_body, heading, waist, np.zeros(num, bool))  # type: ignore[arg-type]


def test_each_angle_takes_an_image_of_the_same_person_that_looks_that_way() -> None:
    """Over two parts. Person 2 has two images at one angle; who is nobody's, junk or without a body is asked
    for nothing and never a target."""
    nothing = np.zeros((5, HEIGHT, WIDTH, 3), np.uint8)
    queries = part_of([2, 2, 0, -1, 1], [1] * 5, nothing), bodies_of([170, -20, 0, 0, 5])
    gallery = part_of([2, 2, 2, 1, 1], [2] * 5, nothing), bodies_of([-150, 200, 80, 95, 185], missing=[3])
    people = People([queries, gallery])
    found = {tuple(draw_turns(people, np.arange(5), YAWS_DEG, seed).target) for seed in range(20)}
    turns = draw_turns(people, np.arange(5), YAWS_DEG, 1)
    # From 170: to -20 by 170, to -150 by 40 (so 0), to 200 by 30, to 80 by -90. From -20: to 170 by 190, to
    # -150 by -130 (so 270: -90 is 40 off, 180 is 50), to 200 by 220 (so 180), to 80 by 100. Person 1: to 185
    # by 180.
    assert list(zip(turns.index, turns.yaw_deg, strict=True)) == [
        (0, 0),
        (0, 180),
        (0, 270),
        (1, 90),
        (1, 180),
        (1, 270),
        (4, 180),
    ]
    assert {first for first, *_ in found} == {5, 6} and {targets[4] for targets in found} == {0, 6}
    assert {(t[1], t[2], t[3], t[5], t[6]) for t in found} == {(1, 7, 7, 5, 9)}


class Stripes:
    """Views of a mesh that covers the middle."""

    yaws_deg = (0, *YAWS_DEG)

    def __init__(self, image_ids: list[Any]) -> None:
        self.image_ids = image_ids

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        view = np.zeros((HEIGHT, WIDTH), np.uint8)
        view[:, 1:3] = 50 + yaw_deg // 2  # so that the painter can tell
        return view


class Painter:
    """Paints the back of everybody in one colour above and another below, and every other side wrong."""

    def appearance(self, images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images[:, 0, 1].astype(np.float32))

    def paint(self, shown: torch.Tensor, appearance: torch.Tensor) -> np.ndarray:
        pictures = np.full((len(shown), HEIGHT, WIDTH, 3), 255, np.uint8)
        for picture, mesh in zip(pictures, shown, strict=True):
            if round(float(mesh[0, 0, 1] + 1) * 127.5) == 50 + 90:
                picture[: HEIGHT // 2], picture[HEIGHT // 2 :] = (60, 80, 100), (10, 20, 30)
        return pictures


def flat(upper: Sequence[int], lower: Sequence[int], around: int = 7) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH, 3), around, np.uint8)
    picture[: HEIGHT // 2, 1:3], picture[HEIGHT // 2 :, 1:3] = upper, lower
    return picture


def measured(cameras: tuple[int, int, int], target: np.ndarray) -> dict[str, float]:
    """Of an image and one of the same side, and the target, which shows the back."""
    pictures = np.stack([flat((90, 80, 70), (40, 50, 60)), flat((96, 80, 70), (40, 50, 60), 9), target])
    part, bodies = part_of([1, 1, 1], cameras, pictures), bodies_of([0, 10, 180])
    views: Any = Stripes(part.images.image_id)
    viewed, painter = ViewedImages(part.images, views), Painter()
    given: Any = painter, viewed, People([(part, bodies)]), np.array([0])
    found = measure_colours(*given, seed=0, batch_size=2)
    assert isinstance(found, dict)
    return found


def test_errors_are_those_worked_out_by_hand() -> None:
    found = measured((1, 1, 1), flat((60, 80, 106), (10, 20, 33)))
    assert found == pytest.approx(
        {
            "pairs": 1,
            "opposite_pairs": 1,
            "rotated_upper": 2 / 255,
            "rotated_lower": 1 / 255,
            "original_upper": (30 + 0 + 36) / 3 / 255,
            "original_lower": (30 + 30 + 27) / 3 / 255,
            "opposite_rotated_upper": 2 / 255,
            "opposite_rotated_lower": 1 / 255,
            "opposite_original_upper": (30 + 0 + 36) / 3 / 255,
            "opposite_original_lower": (30 + 30 + 27) / 3 / 255,
            "same_side_upper": 2 / 255,
            "same_side_lower": 0.0,
        }
    )


def test_colours_are_taken_to_the_other_camera_first() -> None:
    """There everything is 40 levels brighter: the same person, unturned, is off by nothing."""
    brighter = np.stack([flat((90, 80, 70), (40, 50, 60)), flat((130, 120, 110), (80, 90, 100))])
    part, bodies = part_of([1, 1], [1, 2], brighter), bodies_of([0, 180])
    views: Any = Stripes(part.images.image_id)
    given: Any = Painter(), ViewedImages(part.images, views), People([(part, bodies)]), np.array([0])
    found = measure_colours(*given, seed=0, batch_size=2)
    assert isinstance(found, dict)
    assert found["original_upper"] == found["original_lower"] == pytest.approx(0, abs=1e-6)
    assert found["rotated_upper"] == pytest.approx((30 + 0 + 30) / 3 / 255)


def test_without_another_side_of_anybody_there_is_a_reason() -> None:
    pictures = np.stack([flat((90, 80, 70), (40, 50, 60))] * 2)
    part, bodies = part_of([1, 1], [1, 1], pictures), bodies_of([0, 10])
    views: Any = Stripes(part.images.image_id)
    given: Any = Painter(), ViewedImages(part.images, views), People([(part, bodies)]), np.array([0, 1])
    found = measure_colours(*given, seed=0, batch_size=2)
    assert found == "none of 2 queries has an image of its identity that looks another way"


class Rendered:
    """The views of drawn persons' true bodies."""

    yaws_deg = (0, 90, 180, 270)

    def __init__(self, views: dict[str, list[np.ndarray]]) -> None:
        self.image_ids, self._views = list(views), views

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        return self._views[image_id][self.yaws_deg.index(yaw_deg)]


class TrueViews(ViewedImages):
    """Shows a painter the true views, to be painted as they are."""

    def shown(self, index: np.ndarray, yaw_deg: int) -> torch.Tensor:
        return normalise(self.true_views(index, yaw_deg)[0])


class Copier:
    """Paints what it is shown, or spoils its colours."""

    def __init__(self, *, spoils: bool) -> None:
        self._spoils = spoils

    def appearance(self, images: np.ndarray) -> torch.Tensor:
        return torch.zeros(len(images), 1)

    def paint(self, shown: torch.Tensor, appearance: torch.Tensor) -> np.ndarray:
        return 255 - denormalise(shown) if self._spoils else denormalise(shown)


class Silhouettes:
    """Who is known to the pixel."""

    def __init__(self, scenes: list[Any]) -> None:
        self._scenes = scenes

    def share(self, position: int) -> np.ndarray:
        return np.where(self._scenes[position].silhouette, np.uint8(255), np.uint8(0))


@pytest.mark.slow
def test_drawn_persons_agree_with_their_true_views() -> None:
    """By both measures, true views are nearer than the unturned image, and views of wrong colours further.

    Eight persons: with few, the colours of a camera are those of who happens to be there.
    """
    benchmark = Benchmark(load_body("open"), small_settings(test_identities=8, num_cameras=3), seed=4)
    shots = [shot for shot in benchmark.shots if shot.split in ("query", "gallery") and shot.person_id > 0]
    scenes, names = [benchmark.render(shot) for shot in shots], [shot.image_id for shot in shots]
    truth = truth_table(benchmark, shots, scenes)
    meshes = estimates_of(names, truth, benchmark.body.fingerprint, "truth")
    pictures = np.stack([scene.image for scene in scenes])
    labels = [shot.person_id for shot in shots], [shot.camera_id for shot in shots]
    images: Any = Pictures(names, pictures)
    part = Part(part_of(*labels, pictures).manifest, images)
    size = np.full(len(shots), images.height_px), np.full(len(shots), images.width_px)
    drawn = render_views(
        benchmark.body,
        meshes.parameters,
        meshes.camera,
        *size,
        Rendered.yaws_deg,
        choose_renderer("zbuffer", torch.device("cpu")),
    )
    views: Any = Rendered(dict(zip(names, drawn, strict=True)))
    viewed = TrueViews(images, views, true_views(truth, benchmark.body))
    persons: Any = Silhouettes(scenes)
    people, index = People([(part, Bodies.of(persons, meshes, *size))]), np.arange(0, len(shots), 2)

    found, person_l1, some = {}, {}, index[::2]
    true, silhouettes = viewed.true_views(some, 180)
    for spoils in (False, True):
        painter: Any = Copier(spoils=spoils)
        figures = measure_colours(painter, viewed, people, index, seed=1, batch_size=16)
        assert isinstance(figures, dict) and figures["opposite_pairs"] >= 8
        found[spoils] = figures
        painted = painter.paint(viewed.shown(some, 180), torch.zeros(0))
        person_l1[spoils] = view_errors(painted, true, silhouettes).person_l1.mean()
    original = view_errors(images.load(some), true, silhouettes).person_l1.mean()
    assert person_l1[False] < original < person_l1[True]
    for figure in ("upper", "lower"):
        for turns in ("", "opposite_"):
            of_views = [found[spoils][f"{turns}rotated_{figure}"] for spoils in (False, True)]
            assert of_views[0] < found[False][f"{turns}original_{figure}"] < of_views[1]
