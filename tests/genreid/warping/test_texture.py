"""Textures: what is seen against a ray through every triangle, what is filled against a plain sum."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.layout import PART_NAMES
from genreid.render.backend import choose_renderer
from genreid.render.look import BodyView
from genreid.warping.surface import Surface
from genreid.warping.texture import Texture, restrict_texture, take_texture

from .conftest import HEIGHT, WIDTH, Person


@pytest.fixture(scope="module")
def surface(body: Body) -> Surface:
    return Surface.of(body)


def look(body: Body, person: Person) -> BodyView:
    renderer = choose_renderer("zbuffer", torch.device("cpu"))
    size = np.array([HEIGHT]), np.array([WIDTH])
    return renderer.look(body.pose(person.parameters).vertices, person.camera, body.faces, *size)[0]


def ramps() -> np.ndarray:
    """An image whose colours say where a pixel is: 3·column, 2·row, and 100."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([3 * column, row * 2 % 256, np.full_like(row, 100)], axis=2).astype(np.uint8)


def hair_of(body: Body) -> np.ndarray:
    """1 for the scalp, −1 for all else, and 0 within 15 mm of the other of the two, by all pairs."""
    scalp = body.part_labels == PART_NAMES.index("scalp")
    apart = np.linalg.norm(body.template[scalp, None] - body.template[None, ~scalp], axis=2)
    kind = np.where(scalp, 1, -1)
    kind[np.flatnonzero(scalp)[apart.min(1) <= 0.015]] = 0
    kind[np.flatnonzero(~scalp)[apart.min(0) <= 0.015]] = 0
    return kind


def distances(body: Body, vertex: int) -> np.ndarray:
    """From one vertex to all, in the T-pose, left folded upon right, with depth at 0.35 of the rest, and
    0.3 m from skin to the hairline, and from there to hair."""
    apart = []
    kind = hair_of(body)
    for one, (x, y, z) in zip(kind, body.template.astype(np.float64), strict=True):
        x0, y0, z0 = body.template[vertex].astype(np.float64)
        aside = min(abs(x - x0), abs(x + x0))
        line = 0.3 * (one - kind[vertex])
        apart.append((aside**2 + (y - y0) ** 2 + (0.35 * (z - z0)) ** 2 + line**2) ** 0.5)
    return np.array(apart)


def test_neighbours_are_the_nearest_of_the_folded_body(body: Body, surface: Surface) -> None:
    for vertex in (0, 1234, 6000, int(np.flatnonzero(hair_of(body) == 1)[0])):
        apart = distances(body, vertex)
        assert np.allclose(
            surface.distance_m[vertex], np.sort(apart)[: surface.neighbour.shape[1]], atol=1e-5
        )
        assert np.allclose(apart[surface.neighbour[vertex]], surface.distance_m[vertex], atol=1e-5)


def test_the_back_of_a_head_has_the_colour_of_its_hair(body: Body, person: Person, surface: Surface) -> None:
    """From the front, with black hair, a white face and grey for all else: behind, the head is black; from
    behind, no face is black."""
    scalp, face = (body.part_labels == PART_NAMES.index(name) for name in ("scalp", "face"))
    paint = np.where(scalp, 0, np.where(face, 255, 128)).astype(np.uint8)

    def hidden(yaw_deg: float, part: np.ndarray) -> np.ndarray:
        view = look(body, person.turned(yaw_deg))
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        shown = view.fragments.covered
        image[shown] = paint[body.faces[view.fragments.face_index[shown], 0], None]
        texture = take_texture(image, view, surface)
        behind = part & (view.facing < 0)
        assert behind.sum() > 50 and (texture.seen[behind] == 0).all()
        return texture.colour[behind, 0]

    assert np.median(hidden(0.0, surface.hair)) < 32
    assert np.median(hidden(180.0, face)) > 96


def test_what_is_seen_faces_the_camera_and_has_nothing_before_it(
    body: Body, person: Person, surface: Surface
) -> None:
    """Of a person from the side, whose arm covers the trunk: a ray to each vertex, against every triangle."""
    view = look(body, person.turned(90.0))
    seen = take_texture(ramps(), view, surface).seen
    checked, hair = 0, hair_of(body)
    for vertex in np.random.default_rng(0).permutation(len(seen))[:300]:
        u, v, depth = view.points[vertex].astype(np.float64)
        facing = view.facing[vertex]
        least, most = (0.1, 0.3) if hair[vertex] == 1 else (0.4, 0.7)
        if facing <= least:
            assert seen[vertex] == 0
            continue
        before = _nearest_before(view.points.astype(np.float64), body.faces, int(u) + 0.5, int(v) + 0.5)
        if np.isinf(before):
            assert seen[vertex] == 0  # at the outline: the pixel's centre is beside the body
        elif depth > before + 0.031:
            assert seen[vertex] == 0
            checked += 1
        elif depth < before + 0.029:
            assert seen[vertex] == pytest.approx(255 * min(1.0, (facing - least) / (most - least)), abs=1)
    assert checked > 5  # the arm hides something


def _nearest_before(points: np.ndarray, faces: np.ndarray, u: float, v: float) -> float:
    """Depth of the nearest triangle at a place of the image."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))

    def area(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return (q[:, 0] - p[:, 0]) * (v - p[:, 1]) - (q[:, 1] - p[:, 1]) * (u - p[:, 0])

    weights = np.stack([area(b, c), area(c, a), area(a, b)])
    total = weights.sum(0)
    inside = ((weights >= 0).all(0) | (weights <= 0).all(0)) & (total != 0)
    depth = (weights * np.stack([a[:, 2], b[:, 2], c[:, 2]])).sum(0)[inside] / total[inside]
    return float(depth.min(initial=np.inf))


def test_what_is_seen_has_the_colour_of_its_place(body: Body, person: Person, surface: Surface) -> None:
    view = look(body, person)
    texture = take_texture(ramps(), view, surface)
    sure = texture.seen == 255
    assert sure.sum() > 1000
    expected = np.stack([3 * (view.points[:, 0] - 0.5), 2 * (view.points[:, 1] - 0.5)], axis=1)
    assert np.abs(texture.colour[sure, :2] - expected[sure]).max() < 1.1
    assert (texture.filled[sure] == 0).all()


def test_what_is_hidden_borrows_from_the_nearest_that_is_seen(
    body: Body, person: Person, surface: Surface
) -> None:
    view, image = look(body, person), ramps()
    texture = take_texture(image, view, surface)
    share = texture.seen / 255
    own = np.stack([3 * (view.points[:, 0] - 0.5), 2 * (view.points[:, 1] - 0.5)], axis=1)
    lenders = np.flatnonzero(share > 0.25)
    hidden = np.flatnonzero(view.facing < 0)
    checked = 0
    for vertex in np.random.default_rng(0).permutation(hidden)[:60]:
        apart = distances(body, vertex)[lenders]
        order = np.argsort(apart, kind="stable")[:16]
        if apart[order[-1]] > surface.distance_m[vertex, -1]:
            continue  # fewer than sixteen are in reach
        weight = share[lenders[order]] / np.maximum(apart[order], 0.005) ** 2
        expected = (weight[:, None] * own[lenders[order]]).sum(0) / weight.sum()
        assert np.abs(texture.colour[vertex, :2] - expected).max() < 3
        assert texture.filled[vertex] == pytest.approx(
            255 * max(0.0, 1 - max(apart.min(), 0.005) / 0.15), abs=2
        )
        checked += 1
    assert checked > 20


def test_a_mask_keeps_out_what_is_not_the_person(body: Body, person: Person, surface: Surface) -> None:
    """Only the left half of the image shows the person: the other half of the body takes its colours."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2], image[:, WIDTH // 2 :] = (200, 10, 10), (10, 10, 200)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2 - 1] = 255
    view = look(body, person)
    assert (take_texture(image, view, surface).colour[:, 2] > 150).sum() > 500
    texture = take_texture(image, view, surface, mask)
    assert (texture.colour == (200, 10, 10)).all()
    assert (texture.seen[view.points[:, 0] > WIDTH // 2] == 0).all()


def test_a_mask_that_is_half_sure_leaves_half_of_what_is_seen(
    body: Body, person: Person, surface: Surface
) -> None:
    view = look(body, person)
    sure, unsure = (
        take_texture(ramps(), view, surface, np.full((HEIGHT, WIDTH), share, np.uint8)).seen.astype(float)
        for share in (255, 102)
    )
    assert np.abs(unsure - 0.4 * sure).max() <= 1


def test_a_person_of_whom_nothing_is_sure_has_one_colour(
    body: Body, person: Person, surface: Surface
) -> None:
    view = look(body, person)
    texture = take_texture(ramps(), view, surface, np.zeros((HEIGHT, WIDTH), np.uint8))
    assert (texture.colour == texture.colour[0]).all()
    assert np.abs(texture.colour[0] - ramps()[view.fragments.covered].mean(0)).max() <= 0.5
    assert not texture.seen.any() and not texture.filled.any()


def test_a_person_outside_the_image_has_its_mean_colour(body: Body, person: Person, surface: Surface) -> None:
    away = Person(person.parameters, person.camera + torch.tensor([[0.0, 50.0, 0.0]]))
    texture: Texture = take_texture(ramps(), look(body, away), surface)
    assert np.abs(texture.colour[0] - ramps().mean((0, 1))).max() <= 0.5


def test_a_texture_after_a_turn_is_what_both_sides_see_and_fills_the_rest_from_that(
    body: Body, person: Person, surface: Surface
) -> None:
    """Against a loop over vertices: the smaller of both shares; the nearest sixteen of what is left."""
    own = take_texture(ramps(), look(body, person), surface)
    aside = look(body, person.turned(60.0))
    after = restrict_texture(own, aside, surface)
    seen_aside = take_texture(ramps(), aside, surface).seen
    assert np.abs(after.seen.astype(int) - np.minimum(own.seen, seen_aside)).max() <= 1
    assert 200 < (after.seen == 255).sum() < 0.7 * (own.seen == 255).sum()
    kept = after.seen == 255
    assert (after.colour[kept] == own.colour[kept]).all()

    share = np.minimum(own.seen, seen_aside) / 255
    lenders = np.flatnonzero(share > 0.25)
    lost = np.flatnonzero((own.seen == 255) & (seen_aside == 0))
    checked = 0
    for vertex in np.random.default_rng(0).permutation(lost)[:60]:
        apart = distances(body, vertex)[lenders]
        order = np.argsort(apart, kind="stable")[:16]
        if apart[order[-1]] > surface.distance_m[vertex, -1]:
            continue
        weight = share[lenders[order]] / np.maximum(apart[order], 0.005) ** 2
        expected = (weight[:, None] * own.colour[lenders[order]]).sum(0) / weight.sum()
        assert np.abs(after.colour[vertex] - expected).max() < 3
        checked += 1
    assert checked > 10


def test_where_a_turn_leaves_nothing_the_mean_colour_stands(
    body: Body, person: Person, surface: Surface
) -> None:
    view = look(body, person)
    own = take_texture(ramps(), view, surface)
    hidden = Texture(own.colour, np.where(own.seen == 255, own.seen, 0).astype(np.uint8), own.filled)
    after = restrict_texture(hidden, look(body, person.turned(180.0)), surface)
    assert (after.seen == 0).all() and (after.filled == 0).all()
    assert (after.colour == np.rint(own.colour.astype(np.float64).mean(0))).all()
