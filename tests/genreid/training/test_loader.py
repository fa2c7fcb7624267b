"""The loader: decoded views are kept, positives and backgrounds are as they may be, batches come ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
import torch

from genreid.data.background import without_person
from genreid.data.batch import Batch
from genreid.data.transforms import normalise
from genreid.training import loader as module
from genreid.training.ahead import one_ahead
from genreid.training.draws import Positives, draw_backgrounds
from genreid.training.loader import Holds, Loader
from genreid.training.run import Run
from genreid.training.views import before as put_before

from .conftest import CPU, Boxes, BoxViews

WARPED = Holds(warped=True)


class CountedViews(BoxViews):
    """Counts what is decoded."""

    decoded = 0

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        self.decoded += 1
        return super().load(image_id, yaw_deg)


@pytest.mark.parametrize(("room_for", "decoded"), [(8, 8), (5, 8 + 3), (0, 8 + 8)])
def test_views_are_kept_while_there_is_room(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch, room_for: int, decoded: int
) -> None:
    """Four images, each with its own and a rotated view, twice: what did not fit is decoded again."""
    size = boxes.images.height_px * boxes.images.width_px
    monkeypatch.setattr(module, "_CACHE_BYTES", room_for * size + size // 2)
    views = CountedViews(boxes.images.image_id)
    loader = Loader(boxes.images, views, CPU)  # type: ignore[arg-type]
    index, yaw_deg = np.arange(4), np.full(4, 90, np.int16)
    first, second = (loader.batch_at(index, yaw_deg) for _ in range(2))
    assert views.decoded == decoded
    assert torch.equal(first.mesh_rotated, second.mesh_rotated) and torch.equal(first.mesh, second.mesh)
    assert not torch.equal(first.mesh, first.mesh_rotated)


class GreyViews(BoxViews):
    """Whose view it is and from where, as a grey."""

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        return np.full((32, 16), self.grey(self.image_ids.index(image_id), yaw_deg), np.uint8)

    @staticmethod
    def grey(image: int, yaw_deg: int) -> int:
        return 5 * (image + 1) + yaw_deg // 90


def test_images_and_meshes_of_a_batch_are_those_of_their_own_places(boxes: Boxes) -> None:
    loader = Loader(boxes.images, GreyViews(boxes.images.image_id), CPU)  # type: ignore[arg-type]
    index, positives, yaw_deg = np.array([4, 0, 9]), np.array([1, 4, 2]), np.array([90, 270, 180], np.int16)
    batch = loader.batch_at(index, yaw_deg, positives=positives)
    assert batch.positive_mesh is not None and batch.positive_image is not None
    assert (batch.index.tolist(), batch.yaw_deg.tolist()) == ([4, 0, 9], [90, 270, 180])
    for images, picture in ((index, batch.image), (positives, batch.positive_image)):
        assert torch.equal(picture, normalise(boxes.images.load(images)))
    own = zip(index, yaw_deg, strict=True)
    for mesh, greys in (
        (batch.mesh, [GreyViews.grey(image, 0) for image in index]),
        (batch.mesh_rotated, [GreyViews.grey(image, yaw) for image, yaw in own]),
        (batch.positive_mesh, [GreyViews.grey(image, 0) for image in positives]),
    ):
        expected = torch.tensor(greys)[:, None, None, None] / 127.5 - 1
        torch.testing.assert_close(mesh, expected.expand(3, 1, 32, 16))


class SkewViews(BoxViews):
    """Brighter to the right, and another one from each side."""

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        return np.tile(np.arange(16, dtype=np.uint8) * 4 + yaw_deg // 90, (32, 1))


def _epoch(boxes: Boxes, mirror: float, run: Run) -> list[tuple[np.random.Generator, Batch]]:
    persons: Any = boxes.persons
    views: Any = SkewViews(boxes.images.image_id)
    loader = Loader(boxes.images, views, CPU, warped=persons)
    return list(
        loader.epoch(
            run,
            loader.with_mesh,
            5,
            3,
            Holds(backgrounds=True, warped=True, mirror=mirror),
            positives=Positives(boxes.person_id, loader.with_mesh),
        )
    )


def test_a_mirrored_image_comes_with_all_that_belongs_to_it_mirrored(boxes: Boxes) -> None:
    """And whatever else is drawn is drawn as without."""
    run = Run(2, 8)
    num_mirrored = 0
    for (plain_rng, plain), (rng, batch) in zip(
        _epoch(boxes, 0.0, run), _epoch(boxes, 0.4, run), strict=True
    ):
        assert plain_rng.random() == rng.random()
        assert batch.index.tolist() == plain.index.tolist()
        for row in range(5):
            pictures = {
                name: (getattr(batch, name)[row].numpy(), getattr(plain, name)[row].numpy())
                for name in PICTURES
            }
            flipped = not np.array_equal(*pictures["image"])
            num_mirrored += flipped
            for name, (found, before) in pictures.items():
                expected = before[:, :, ::-1] if flipped else before
                assert np.array_equal(found, expected), name
            turns = int(batch.yaw_deg[row]), int(plain.yaw_deg[row])
            assert turns[0] == {90: 270, 180: 180, 270: 90}[turns[1]] if flipped else turns[0] == turns[1]
    assert 8 <= num_mirrored <= 24, "of 40"


PICTURES = ("image", "mesh", "mesh_rotated", "positive_image", "positive_mesh", "background", "warped")


@pytest.mark.parametrize(("mirror", "share"), [(0.0, 0), (1.0, 1)])
def test_nobody_and_everybody_is_mirrored(boxes: Boxes, mirror: float, share: int) -> None:
    run = Run(2, 8)
    for (_, plain), (_, batch) in zip(_epoch(boxes, 0.0, run), _epoch(boxes, mirror, run), strict=True):
        assert torch.equal(batch.image, plain.image.flip(3) if share else plain.image)


def test_a_turned_person_stands_before_the_own_background(boxes: Boxes) -> None:
    """Three quarters of every pixel in the box, which is two further to the right than unturned; the last
    image has no mesh and stays as it is."""
    index = np.array([4, len(boxes.images) - 1, 9])
    images, turned = boxes.images.load(index), boxes.loader.turned(index, np.full(3, 180))
    assert np.array_equal(turned[1], images[1])
    for image, picture in ((images[0], turned[0]), (images[2], turned[2])):
        behind = without_person(image, boxes.views.load("", 0)).astype(np.float64)
        expected = behind.copy()
        expected[4:28, 5:12] = 0.75 * image[4:28, 5:12] + 0.25 * behind[4:28, 5:12]
        assert np.abs(picture - expected).max() <= 1.25  # of which 0.75 for what is kept in eight bits
    assert np.array_equal(boxes.images.load(index), images)


def test_a_turned_person_is_drawn_once_and_alone(boxes: Boxes) -> None:
    asked: list[tuple[int, int]] = []

    class Counted:
        """The persons of boxes, and who was asked for."""

        def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[Any]:
            asked.append((int(index.item()), int(yaw_deg.item())))
            return boxes.persons.views(index, yaw_deg)

        def empty(self, index: np.ndarray) -> np.ndarray:
            return boxes.persons.empty(index)

    persons: Any = Counted()
    views: Any = boxes.views
    loader = Loader(boxes.images, views, CPU, warped=persons)
    first = loader.batch_at(np.array([3, 8]), np.array([90, 180], np.int16), WARPED)
    again = loader.batch_at(np.array([8, 3, 3]), np.array([180, 90, 270], np.int16), WARPED)
    assert asked == [(3, 90), (8, 180), (3, 270)]
    assert first.warped is not None and again.warped is not None
    assert torch.equal(first.warped.flip(0), again.warped[:2])


def test_every_image_of_a_batch_has_an_angle(boxes: Boxes) -> None:
    loader = Loader(boxes.images, BoxViews(boxes.images.image_id), CPU)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shorter"):
        loader.batch_at(np.arange(3), np.full(2, 90, np.int16))


def test_positives_are_the_others_of_the_pseudo_identity_with_a_mesh() -> None:
    labels = np.array([0, 0, 0, 1, 1, -1, -1, 0])
    with_mesh = np.array([0, 1, 3, 5, 6, 7])  # not 2 and 4
    positives, generator = Positives(labels, with_mesh), torch.Generator().manual_seed(0)
    drawn = np.array([positives.draw(with_mesh, generator) for _ in range(200)])
    found = {int(image): set(drawn[:, i].tolist()) for i, image in enumerate(with_mesh)}
    assert found == {0: {1, 7}, 1: {0, 7}, 7: {0, 1}, 3: {3}, 5: {5}, 6: {6}}


def test_without_any_pseudo_identity_everybody_is_alone() -> None:
    index = np.arange(4)
    positives = Positives(np.full(4, -1), index)
    assert positives.draw(index, torch.Generator()).tolist() == [0, 1, 2, 3]


def test_backgrounds_are_of_other_cameras_and_of_images_with_a_mesh() -> None:
    camera_id = np.array([1, 1, 2, 2, -1, -1, 3])
    with_mesh = np.array([0, 1, 2, 4, 6])
    rng = np.random.default_rng(0)
    drawn = np.array([draw_backgrounds(with_mesh, camera_id, with_mesh, rng) for _ in range(200)])
    found = [set(column.tolist()) for column in drawn.T]
    assert found == [{2, 4, 6}, {2, 4, 6}, {0, 1, 4, 6}, {0, 1, 2, 6}, {0, 1, 2, 4}]


def test_with_one_camera_any_background_will_do() -> None:
    index = np.arange(3)
    drawn = [draw_backgrounds(index, np.zeros(3), index, np.random.default_rng(seed)) for seed in range(60)]
    assert {tuple(set(column.tolist())) for column in np.array(drawn).T} == {(0, 1, 2)}


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(one_ahead(iter(range(20)))) == list(range(20))
    assert list(one_ahead(iter(()))) == []
    assert _threads() == []


def test_one_item_is_made_while_another_is_in_use() -> None:
    made: SimpleQueue[int] = SimpleQueue()

    def items() -> Iterator[int]:
        for number in range(5):
            made.put(number)
            yield number

    ahead = one_ahead(items())
    for number in range(4):
        assert next(ahead) == number
        assert [made.get(timeout=60) for _ in range(2 if number == 0 else 1)][-1] == number + 1
        assert made.empty(), "the next one, and no further"


def test_an_error_comes_in_its_items_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="the second"):
        next(ahead)
    assert _threads() == []


def test_who_stops_early_leaves_no_thread() -> None:
    ahead = one_ahead(iter(range(5)))
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert _threads() == []


def _with_masks(boxes: Boxes) -> tuple[Loader, dict[int, np.ndarray]]:
    """Image 2's mask, at twice the size, is softer to the right and stands out on both sides of the body;
    image 5's finds nobody. Nobody is warped."""
    soft = np.zeros((64, 32), np.uint8)
    soft[8:56, 0:20], soft[8:56, 20:28] = 255, 102
    masks = {2: soft, 5: np.full((64, 32), 100, np.uint8)}
    views: Any = boxes.views
    return Loader(boxes.images, views, CPU, mask=masks.get), masks


def test_persons_are_cut_out_along_their_masks(boxes: Boxes) -> None:
    """And along their bodies, with a ring, where there is none or it finds nobody."""
    loader, _ = _with_masks(boxes)
    index = np.array([2, 5, 7])
    batch = loader.batch_at(
        index, np.full(3, 90), Holds(persons=True), positives=index, backgrounds=index[::-1]
    )
    assert batch.person is not None and batch.positive_person is not None
    masked = torch.zeros(32, 16)
    masked[4:28, 0:10], masked[4:28, 10:14] = 1, 0.4
    body, ring = torch.zeros(32, 16), torch.zeros(32, 16)
    body[4:28, 3:10] = 1
    ring[3:29, 2:11] = 1
    torch.testing.assert_close(batch.person[:, 0], torch.stack([masked, ring, ring]))
    torch.testing.assert_close(batch.positive_person[:, 0], torch.stack([masked, body, body]))
    assert loader.batch_at(index, np.full(3, 90)).person is None


def test_what_is_put_elsewhere_is_what_the_mask_has(boxes: Boxes) -> None:
    """Pixel by pixel, the person by its share and the background by the rest."""
    loader, _ = _with_masks(boxes)
    batch = loader.batch_at(np.array([2]), np.array([90]), Holds(persons=True), backgrounds=np.array([7]))
    assert batch.person is not None and batch.background is not None
    pasted = put_before(batch.image, batch.person, batch.background)
    for row, column, share in ((0, 0, 0.0), (10, 1, 1.0), (20, 12, 0.4), (10, 15, 0.0)):
        expected = share * batch.image[0, :, row, column] + (1 - share) * batch.background[0, :, row, column]
        torch.testing.assert_close(pasted[0, :, row, column], expected)


def test_what_the_mask_or_the_body_has_is_taken_off_a_background(boxes: Boxes) -> None:
    loader, _ = _with_masks(boxes)
    index = np.array([2, 5, 7])
    batch = loader.batch_at(index, np.full(3, 90), backgrounds=index)
    assert batch.background is not None
    body = boxes.views.load("", 0) > 0
    reach = body.copy()
    reach[4:28, 0:10] = True
    images = boxes.images.load(index)
    expected = [without_person(image, part) for image, part in zip(images, (reach, body, body), strict=True)]
    assert torch.equal(batch.background, normalise(np.stack(expected)))
    assert not np.array_equal(expected[0], without_person(images[0], body))


def test_the_colours_of_a_camera_are_those_within_the_masks(boxes: Boxes) -> None:
    loader, _ = _with_masks(boxes)
    images = boxes.images.load(np.array([2, 7]))
    assert np.array_equal(loader._person(2), images[0, 4:28, 0:10].reshape(-1, 3))
    assert np.array_equal(loader._person(7), images[1, 4:28, 3:10].reshape(-1, 3))
