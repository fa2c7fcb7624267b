"""The ways of turning a person, and the controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.photographs.crops import Photographs
from benchmarks.photographs.errors import colours
from benchmarks.photographs.ways import (
    People,
    drawn_unturned,
    in_two_colours,
    kept,
    nearest_other,
    next_angle,
    repaired,
    true_aside,
    warped,
)
from genreid.body.body import Body
from genreid.evaluation.generation import Painter
from genreid.models.initialisation import build_encoder, build_generator
from genreid.render.backend import choose_renderer
from genreid.warping.warper import Warper
from tests.benchmarks.photographs.conftest import COLOURS
from tests.genreid.models.small import ENCODER, GENERATOR


def at(photographs: Photographs, *names: str) -> np.ndarray:
    return np.array([photographs.image_id.index(name) for name in names])


def test_kept(photographs: Photographs, people: People) -> None:
    index = at(photographs, "0002_c1_h+000", "0004_c2_h+090")
    shown = kept(people)(index, 90)
    np.testing.assert_array_equal(shown.pictures, photographs.load(index))


def test_next_angle_is_a_true_one_and_never_the_image(photographs: Photographs, people: People) -> None:
    index = at(photographs, "0002_c1_h+000")
    wanted = {45: "+090", 90: "+135", 180: "-135", 225: "+180", 315: "-090"}
    for yaw_deg, heading in wanted.items():
        expected = photographs.load(at(photographs, f"0002_c1_h{heading}"))
        np.testing.assert_array_equal(next_angle(people)(index, yaw_deg).pictures, expected)


@pytest.mark.parametrize("turned", [False, True])
def test_nearest_other(photographs: Photographs, people: People, turned: bool) -> None:
    rows = np.random.default_rng(2).normal(size=(len(photographs), 6))
    way = nearest_other(people, rows, turned=turned)
    for position in range(0, len(photographs), 3):
        best, most = -1, -np.inf
        for other in range(len(photographs)):
            if photographs.person[other] == photographs.person[position]:
                continue
            if photographs.camera[other] != photographs.camera[position]:
                continue
            asked = (photographs.heading_deg[position] + 135) % 360
            if turned and photographs.heading_deg[other] != asked:
                continue
            if rows[position] @ rows[other] > most:
                best, most = other, rows[position] @ rows[other]
        shown = way(np.array([position]), 135)
        np.testing.assert_array_equal(shown.pictures, photographs.load(np.array([best])))


def test_two_flat_colours(photographs: Photographs, people: People) -> None:
    index = at(photographs, "0002_c1_h+000")
    shown = in_two_colours(people, colours)(index, 90)
    person = shown.share[0] == 255
    waist = round(float(shown.waist[0]) * len(person))
    above = np.unique(shown.pictures[0, :waist][person[:waist]], axis=0)
    below = np.unique(shown.pictures[0, waist:][person[waist:]], axis=0)
    assert len(above) == len(below) == 1
    assert abs(above[0].astype(int) - COLOURS[2][0]).max() <= 20  # the waist is not where the colours meet
    np.testing.assert_array_equal(shown.pictures[0][~person], photographs.load(index)[0][~person])


def test_true_aside(photographs: Photographs, people: People) -> None:
    shown = true_aside(people)(at(photographs, "0002_c1_h+000"), 90)
    true = photographs.load(at(photographs, "0002_c1_h+090"))
    np.testing.assert_array_equal(shown.pictures[:, :, 2:], true[:, :, :-2])
    np.testing.assert_array_equal(shown.pictures[:, :, 1], true[:, :, 0])
    assert shown.settled


def test_warped_shows_the_body_from_there(photographs: Photographs, people: People) -> None:
    """The silhouette is that of the true photograph, whose body is the same, turned; its colours stay."""
    index = at(photographs, "0002_c1_h+000")
    shown = warped(people)(index, 90)
    true = people.share[at(photographs, "0002_c1_h+090")]
    inside, either = ((shown.share > 127) & (true > 127)).sum(), ((shown.share > 127) | (true > 127)).sum()
    unturned = people.share[index]
    plain = ((unturned > 127) & (true > 127)).sum() / ((unturned > 127) | (true > 127)).sum()
    assert inside / either > 0.65 > plain + 0.05
    assert abs(colours(shown)[0, 0] - COLOURS[2][0]).max() < 35


def test_drawn_unturned_keeps_the_pose(photographs: Photographs, people: People) -> None:
    index = at(photographs, "0004_c1_h+045")
    shown = drawn_unturned(people)(index, 180)
    own = people.share[index]
    assert ((shown.share > 127) & (own > 127)).sum() > 0.98 * (own > 127).sum()
    assert (shown.pictures != photographs.load(index)).any()


def test_nobody_found_leaves_the_image(photographs: Photographs, people: People) -> None:
    index = np.array([len(photographs) - 1, 0])
    assert not people.found[-1]
    shown = warped(people)(index, 90)
    np.testing.assert_array_equal(shown.pictures[0], photographs.load(index)[0])
    assert not shown.share[0].any() and (shown.pictures[1] != photographs.load(index)[1]).any()


def test_outlines_in_place_of_masks(people: People, warper: Warper) -> None:
    """Masks that lie beside the bodies are used, unless the outlines are asked for."""
    empty = replace(people.meshes, masks=(people.meshes.masks[8],) * len(people.meshes))
    masked = People(people.photographs, empty, warper)
    outlined = People(people.photographs, empty, warper, use_masks=False)
    np.testing.assert_array_equal(masked.share[0], people.share[8])
    np.testing.assert_array_equal(outlined.share[2], people.share[2])


def test_a_generator_that_has_not_learnt_corrects_nothing(people: People, body: Body) -> None:
    encoder = build_encoder(ENCODER, 0).eval()
    settings = replace(GENERATOR, paints="views")
    generator = build_generator(settings, encoder.appearance_dim, ENCODER.num_stripes, 0).eval()
    renderer = choose_renderer("zbuffer", torch.device("cpu"))
    way = repaired(people, Painter(generator, encoder), body, renderer)
    index = np.array([0, 5, len(people.photographs) - 1])
    plain, corrected = warped(people)(index, 135), way(index, 135)
    assert abs(plain.pictures.astype(int) - corrected.pictures).max() <= 1
    np.testing.assert_array_equal(plain.share, corrected.share)
    with torch.no_grad():
        for weight in generator.parameters():
            weight.add_(0.05)
    assert abs(plain.pictures.astype(int) - way(index, 135).pictures).max() > 1
