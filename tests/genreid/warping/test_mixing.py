"""Two persons on one body: every vertex against the rule written out, and what a view of it shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.layout import PART_NAMES
from genreid.warping.bodies import Bodies
from genreid.warping.mixing import GARMENTS, in_anothers, mix_textures
from genreid.warping.texture import Texture
from genreid.warping.view import WarpedView
from genreid.warping.warper import Warper

from .conftest import HEIGHT, WIDTH, Person, body_of


def texture(rng: np.random.Generator, num: int) -> Texture:
    shares = rng.dirichlet([1.0, 1.0, 1.0], num)
    seen, filled = np.rint(255 * shares[:, 0]), np.floor(255 * shares[:, 1])
    return Texture(
        rng.integers(0, 256, (num, 3), dtype=np.uint8), seen.astype(np.uint8), filled.astype(np.uint8)
    )


@pytest.mark.parametrize("lam", [0.5, 0.8, 1.0])
def test_a_vertex_is_mixed_by_lambda_and_by_what_is_seen_of_both(lam: float) -> None:
    rng = np.random.default_rng(0)
    own, other = texture(rng, 40), texture(rng, 40)
    mixed, weight = mix_textures(own, other, np.float32(lam))
    for vertex in range(40):
        sure = []
        for one in (own, other):
            seen, filled = one.seen[vertex] / 255, one.filled[vertex] / 255
            sure.append(seen + 0.5 * filled + 0.1 * (1 - seen - filled))
        share = lam * sure[0] / (lam * sure[0] + (1 - lam) * sure[1])
        assert weight[vertex] == pytest.approx(share, abs=1e-5)
        for part in ("colour", "seen", "filled"):
            a, b = (getattr(one, part)[vertex].astype(float) for one in (own, other))
            assert np.abs(getattr(mixed, part)[vertex] - (share * a + (1 - share) * b)).max() <= 0.501


def test_the_own_person_alone_at_one_and_the_other_at_zero() -> None:
    rng = np.random.default_rng(1)
    own, other = texture(rng, 30), texture(rng, 30)
    for share, expected in ((1.0, own), (0.0, other)):
        mixed, weight = mix_textures(own, other, np.float32(share))
        assert np.array_equal(mixed.colour, expected.colour) and (weight == share).all()


def test_a_garment_is_the_others_from_seam_to_seam(body: Body) -> None:
    rng = np.random.default_rng(2)
    own, other = (texture(rng, len(body.template)) for _ in range(2))
    part = np.array(PART_NAMES)[body.part_labels]
    for garment, taken, kept in (("upper", "torso", "hips"), ("lower", "left_shin", "right_forearm")):
        mixed, _ = mix_textures(own, other, in_anothers(garment, body.part_labels))  # type: ignore[arg-type]
        assert np.array_equal(mixed.colour[part == taken], other.colour[part == taken])
        assert np.array_equal(mixed.colour[part == kept], own.colour[part == kept])
        assert np.array_equal(mixed.colour[part == "face"], own.colour[part == "face"])


def plain(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def red_and_blue(warper: Warper, person: Person, share: list[float | str]) -> list[tuple[WarpedView, float]]:
    """A red person, as seen from its image, mixed with a blue one."""
    num = len(share)
    body = body_of(warper, person)
    own, other = (warper.textures([plain(colour)], body)[0] for colour in ((200, 0, 0), (0, 0, 200)))
    bodies = Bodies.concatenate([body] * num)
    return warper.mixtures([(own, other)] * num, share, bodies, np.zeros(num))  # type: ignore[arg-type]


def test_the_share_is_what_the_picture_shows(warper: Warper, person: Person) -> None:
    """Of red pixels among those of the body: λ where both were seen alike, and garments' areas."""
    found = red_and_blue(warper, person, [0.7, 1.0, *GARMENTS])
    for view, share in found:
        red, blue = (view.person[..., channel].sum() for channel in (0, 2))
        assert share == pytest.approx(red / (red + blue), abs=0.05)
    shares = [share for _, share in found]
    assert shares[0] == pytest.approx(0.7, abs=1e-3) and shares[1] == 1
    assert 0.4 < shares[2] < 0.8 and 0.4 < shares[3] < 0.8


def test_nobody_is_mixed_with_nobody(warper: Warper, person: Person) -> None:
    none, empty = person.parameters.select(slice(0, 0)), np.zeros(0, np.int64)
    nobody = warper.bodies(none, torch.zeros(0, 3), empty, empty)
    assert warper.mixtures([], [], nobody, empty) == []
