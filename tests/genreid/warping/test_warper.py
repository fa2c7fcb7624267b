"""The door: turns, batches, and whether a warped view is worth anything."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import Body, BodyParameters
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.transforms import resize
from genreid.evaluation.similarity import ViewErrors, view_errors
from genreid.render import pytorch3d
from genreid.render.backend import choose_renderer
from genreid.render.shading import vertex_normals
from genreid.seeding import numpy_rng
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.warping import images as warped_images
from genreid.warping.images import WarpedImages
from genreid.warping.view import WarpedView
from genreid.warping.warper import Warper

from .conftest import HEIGHT, WIDTH, Person, body_of


def view_of(warper: Warper, image: np.ndarray, person: Person, yaw_deg: float) -> WarpedView:
    body = body_of(warper, person)
    return warper.views(warper.textures([image], body), body, np.array([yaw_deg]))[0]


def two_sided() -> np.ndarray:
    """Red on the image's left, green on its right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2], image[:, WIDTH // 2 :] = (220, 20, 20), (20, 220, 20)
    return image


def test_an_unturned_view_is_what_the_image_shows(warper: Warper, person: Person) -> None:
    smooth = cv2.resize(numpy_rng(0, "blobs").integers(0, 256, (8, 4, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    view = view_of(warper, smooth, person, 0.0)
    shown = view.seen > 0.99
    assert shown.sum() > 500
    assert np.abs(view.person[shown] - smooth[shown]).mean() < 2


def test_a_full_turn_is_none(warper: Warper, person: Person) -> None:
    none, full = (view_of(warper, two_sided(), person, yaw) for yaw in (0.0, 360.0))
    assert np.abs(none.person - full.person).mean() < 0.1


def test_sides_change_places_in_a_half_turn_and_stay_in_none(warper: Warper, person: Person) -> None:
    """Whoever faces the camera has the own right hand at the image's left, from behind at the right. The body
    is folded where it borrows, so that a back is a mixture of both colours."""
    front, back = (view_of(warper, two_sided(), person, yaw) for yaw in (0.0, 180.0))
    half = WIDTH // 2
    red = [(view.person[..., 0].sum(0) - view.person[..., 1].sum(0)) for view in (front, back)]
    assert red[0][:half].sum() > 0 > red[0][half:].sum()
    assert red[1][:half].sum() - red[1][half:].sum() < 0.5 * (red[0][:half].sum() - red[0][half:].sum())
    assert back.seen.mean() < 0.1 * front.seen.mean()


def test_shares_of_a_pixel_add_up(warper: Warper, person: Person) -> None:
    for yaw in (0.0, 90.0, 225.0):
        view = view_of(warper, two_sided(), person, yaw)
        assert (view.seen + view.filled <= view.share + 1e-5).all()
        assert view.share.max() == 1 and view.person.min() >= 0 and view.person.max() <= 255.01


def test_a_batch_is_its_persons_one_by_one(warper: Warper, person: Person) -> None:
    """Of different sizes, at different angles."""
    rng = np.random.default_rng(0)
    sizes = [(128, 64), (90, 50), (256, 100)]
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    masks = [None, np.full(sizes[1], 255, np.uint8), rng.integers(0, 256, sizes[2], dtype=np.uint8)]
    people = [person, person.turned(30.0), person.turned(-100.0)]
    parameters = BodyParameters(
        *(torch.cat([getattr(one.parameters, name) for one in people]) for name in vars(person.parameters))
    )
    camera = torch.cat([one.camera for one in people])
    height, width = np.array(sizes).T
    yaw_deg = np.array([45, 180, 315])
    bodies = warper.bodies(parameters, camera, height, width)
    together = warper.views(warper.textures(images, bodies, masks), bodies, yaw_deg)
    for i, one in enumerate(people):
        place = slice(i, i + 1)
        body = warper.bodies(one.parameters, one.camera, height[place], width[place])
        texture = warper.textures(images[place], body, masks[place])
        (alone,) = warper.views(texture, body, yaw_deg[place])
        assert together[i].share.shape == sizes[i]
        for part, expected in zip(vars(together[i]).values(), vars(alone).values(), strict=True):
            assert np.array_equal(part, expected)


def test_a_body_is_turned_as_it_would_be_posed(body: Body, warper: Warper, person: Person) -> None:
    """To a millimetre: turning the root, posing, then putting clothes on, is another order of the same."""
    bodies = body_of(warper, person)
    for yaw_deg in (0.0, 45.0, 200.0):
        turned = bodies.turned(np.array([yaw_deg]))[0].numpy()
        posed = body.pose(person.turned(yaw_deg).parameters).vertices[0].numpy()
        thicker = posed + 0.01 * vertex_normals(posed, body.faces)
        assert np.abs(turned - thicker).max() < 1e-3


def test_nobody_is_a_batch_too(warper: Warper, person: Person) -> None:
    none = person.parameters.select(slice(0, 0))
    empty = np.zeros(0, np.int64)
    nobody = warper.bodies(none, torch.zeros(0, 3), empty, empty)
    assert warper.textures([], nobody) == []
    assert warper.views([], nobody, empty) == []


def test_drawn_persons_are_nearer_to_the_truth_warped_than_unturned(body: Body, warper: Warper) -> None:
    """From behind and from the side, with the true bodies; the true view is drawn by the benchmark."""
    benchmark = Benchmark(body, SyntheticSettings(2, 0, 2, 2, 4, 4, HEIGHT, WIDTH), 3)
    warped: list[ViewErrors] = []
    unturned: list[ViewErrors] = []
    for shot in benchmark.shots[::4]:
        scene = benchmark.render(shot)
        person = Person(scene.parameters, torch.from_numpy(scene.camera)[None])
        for yaw_deg in (90.0, 180.0):
            true = benchmark.render(shot, yaw_deg)
            view = view_of(warper, scene.image, person, yaw_deg).before(scene.image)
            for pictures, errors in ((view, warped), (scene.image, unturned)):
                errors.append(view_errors(pictures[None], true.image[None], true.silhouette[None]))
    apart = [np.mean([error.person_l1 for error in errors]) for errors in (warped, unturned)]
    alike = [np.mean([error.person_ssim for error in errors]) for errors in (warped, unturned)]
    assert apart[0] < 0.7 * apart[1]
    assert alike[0] > alike[1] + 0.1


@pytest.mark.skipif(
    pytorch3d.why_unusable(torch.device("cpu")) is not None, reason="pytorch3d is not installed"
)
def test_pytorch3d_draws_the_same(body: Body, warper: Warper, person: Person) -> None:
    other = Warper(body, choose_renderer("pytorch3d", torch.device("cpu")))
    views = [view_of(one, two_sided(), person, 135.0) for one in (warper, other)]
    assert np.abs(views[0].person - views[1].person).mean() < 1


def dots(root: Path) -> ImageSet:
    """Three images of nothing but noise."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(3):
        image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        cv2.imwrite(str(root / f"{number}.png"), image)
        rows.append(
            {"image_id": f"{number}.png", "path": f"{number}.png", "split": "train", "camera_id": 1}
            | {"person_id": 1, "height": HEIGHT, "width": WIDTH, "status": "ok", "detail": None}
        )
    info = ManifestInfo(dataset="dots", root=".", height_px=64, width_px=32, body="open")
    return ImageSet(root, Manifest.from_rows(rows, info))


def test_images_give_the_same_views_whatever_was_asked_before(
    tmp_path: Path, warper: Warper, person: Person
) -> None:
    images = dots(tmp_path)
    three = BodyParameters(*(value.repeat(3, 1) for value in vars(person.parameters).values()))

    def fresh() -> WarpedImages:
        return WarpedImages(warper, images, three, person.camera.repeat(3, 1))

    used = fresh()
    used.views(np.array([0, 2]), np.array([180, 90]))
    index, yaw_deg = np.array([1, 2, 0]), np.array([45, 90, 135])
    used_again, first_time = used.views(index, yaw_deg), fresh().views(index, yaw_deg)
    for i, (view, expected) in enumerate(zip(used_again, first_time, strict=True)):
        assert view.share.shape == (64, 32)
        assert np.array_equal(view.person, expected.person)
        (alone,) = fresh().views(index[i : i + 1], yaw_deg[i : i + 1])
        assert np.array_equal(view.person, alone.person)
    texture = warper.textures([images.load_native(2)], body_of(warper, person))
    (alone,) = warper.views(texture, body_of(warper, person), np.array([90]))
    (view,) = fresh().views(index[1:2], yaw_deg[1:2])
    assert np.array_equal(alone.resized(64, 32).person, view.person)


def test_a_mask_says_what_is_the_person_and_what_is_left_without(
    tmp_path: Path, warper: Warper, person: Person
) -> None:
    """A bag beside the body is taken off the background where the mask has it, and colours no skin where the
    mask says that there is none."""
    images = dots(tmp_path)
    three = BodyParameters(*(value.repeat(3, 1) for value in vars(person.parameters).values()))
    (outline,) = warper.outlines(body_of(warper, person))
    bag = np.zeros_like(outline)
    bag[4:16, 2:10] = True  # beside the head
    assert not (bag & outline).any() and 500 < outline.sum() < 3000

    def seen(mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        source = WarpedImages(warper, images, three, person.camera.repeat(3, 1), lambda position: mask)
        (view,) = source.views(np.array([1]), np.array([0]))
        return source.empty(np.array([1]))[0], view.seen

    (bare, _), (without, shown) = seen(None), seen(np.where(outline | bag, np.uint8(255), np.uint8(0)))
    at = (slice(3, 7), slice(1, 4))  # of half the size
    image = images.load(np.array([1]))[0]
    assert np.array_equal(bare[at], image[at])
    assert without[at].std() < 0.5 * image[at].std()
    assert shown.max() > 0.99
    assert seen(np.where(bag, np.uint8(255), np.uint8(0)))[1].max() == 0

    half = images.height_px, images.width_px
    around = np.where(bag, np.uint8(255), np.uint8(9))
    body = np.where(outline, np.uint8(255), np.uint8(0))
    for mask, expected in ((around, around), (None, body), (np.zeros_like(body), body)):
        known = [mask] * 3
        source = WarpedImages(warper, images, three, person.camera.repeat(3, 1), known.__getitem__)
        assert np.array_equal(source.share(1), resize(expected, *half))
        assert np.array_equal(source.empty_of_bodies(np.array([1]))[0], bare)


def test_pictures_stand_before_their_own_image_without_the_person(
    tmp_path: Path, warper: Warper, person: Person
) -> None:
    images = dots(tmp_path)
    three = BodyParameters(*(value.repeat(3, 1) for value in vars(person.parameters).values()))
    source = WarpedImages(warper, images, three, person.camera.repeat(3, 1))
    index, yaw_deg = np.array([2, 0]), np.array([90, 225])
    pictures, empty = source.pictures(index, yaw_deg), source.empty(index)
    for row, view in enumerate(source.views(index, yaw_deg)):
        assert np.array_equal(pictures[row][view.share == 0], empty[row][view.share == 0])
        inside = view.share == 1
        assert np.abs(pictures[row][inside] - view.person[inside]).max() <= 0.5 + 1e-4


def test_textures_beyond_the_room_for_them_are_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Body, warper: Warper, person: Person
) -> None:
    """Room for two: colour, seen and filled are five bytes a vertex, its place six, three a pixel of what is
    left."""
    images, read = dots(tmp_path), list[int]()
    natively = images.load_native

    def load(position: int) -> np.ndarray:
        read.append(position)
        return natively(position)

    monkeypatch.setattr(images, "load_native", load)
    monkeypatch.setattr(warped_images, "_CACHE_BYTES", 2 * (11 * len(body.template) + 3 * 64 * 32))
    three = BodyParameters(*(value.repeat(3, 1) for value in vars(person.parameters).values()))
    used = WarpedImages(warper, images, three, person.camera.repeat(3, 1))
    for _ in range(2):
        for position in range(3):
            used.views(np.array([position]), np.array([90]))
    assert read == [0, 1, 2, 2]
