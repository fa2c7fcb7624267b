from __future__ import annotations

from dataclasses import replace

import numpy as np

from genreid.synthetic.canvas import to_px
from genreid.synthetic.identity import Garment, Pattern, Print
from genreid.synthetic.tailor import dress, needs_tail
from genreid.synthetic.wardrobe import sample_identity

PLAIN = Pattern("plain", (0.0, 0.0, 0.0), 0.1, 0.0)
SHIRT = Garment("tshirt", (0.5, 0.5, 0.5), PLAIN, sleeve=0.4, hem_m=-0.05, ease_m=0.012)
LOGO = Print("disc", (0.9, 0.1, 0.1), (0.1, 0.1, 0.9), size_m=0.15, y_m=0.25, seed=1)


def someone(**changes):
    person = sample_identity(1, 1, likeness=0.0)
    bare = {"outer": None, "scarf": None, "bag": replace(person.bag, kind="none"), "top": SHIRT}
    return replace(person, **(bare | changes))


def colour_at(canvas, page: int, x: float, y: float) -> np.ndarray:
    u, v = to_px(np.array([x, y])).astype(int)
    return canvas.texture[page, v, u, :3].astype(int)


def test_a_print_on_the_back_is_on_the_back_alone():
    plain, printed = dress(someone()), dress(someone(top=replace(SHIRT, back=LOGO)))
    assert np.array_equal(plain.texture[0], printed.texture[0])
    red = colour_at(printed, 1, 0.06, 0.28)
    assert red[0] > 1.5 * red[1]
    assert abs(colour_at(printed, 0, 0.06, 0.28) - colour_at(plain, 1, 0.06, 0.28)).max() < 40


def test_an_open_jacket_shows_the_shirt_in_front_only():
    jacket = Garment("jacket", (0.1, 0.1, 0.8), PLAIN, sleeve=1.0, hem_m=-0.06, ease_m=0.025, open_m=0.06)
    canvas = dress(someone(outer=jacket))
    front, back, side = (colour_at(canvas, *at) for at in ((0, 0.0, 0.1), (1, 0.0, 0.1), (0, 0.12, 0.1)))
    assert front[2] < 1.3 * front[0]
    assert back[2] > 2 * back[0]
    assert side[2] > 2 * side[0]


def test_clothes_are_thick_and_skin_is_not():
    canvas = dress(someone())
    (u, v), (hand_u, hand_v) = to_px(np.array([[0.0, 0.2], [0.75, 0.4]])).astype(int)
    assert canvas.lift[0, v, u] * 0.25 >= 10
    assert canvas.lift[0, hand_v, hand_u] == 0
    assert canvas.texture[0, hand_v, hand_u, 3] == 0


def test_skirts_and_coats_hang_and_trousers_do_not():
    assert needs_tail(replace(SHIRT, cut="skirt", hem_m=-0.5))
    assert needs_tail(replace(SHIRT, cut="coat", hem_m=-0.4))
    assert not needs_tail(replace(SHIRT, cut="jeans", hem_m=-0.86))
    assert not needs_tail(SHIRT)


def test_the_street_wears_what_streets_wear():
    people = [sample_identity(4, index, likeness=0.5) for index in range(400)]
    colours = np.array([(person.outer or person.top).rgb for person in people])
    saturation = (colours.max(axis=1) - colours.min(axis=1)) / colours.max(axis=1)
    assert 0.4 < (saturation < 0.25).mean() < 0.85
    assert 0.1 < np.mean([person.bag.kind == "backpack" for person in people]) < 0.4
    assert 0.15 < np.mean([(person.outer or person.top).back is not None for person in people]) < 0.5
    assert 0.02 < np.mean([person.bottom.cut in ("skirt", "dress") for person in people]) < 0.3


def test_many_dress_alike_but_nobody_is_a_double():
    people = [sample_identity(4, index, likeness=0.6) for index in range(150)]
    looks = np.array([[*(p.outer or p.top).rgb, *p.bottom.rgb] for p in people])
    cuts = [((p.outer or p.top).cut, p.bottom.cut) for p in people]
    distance = np.abs(looks[:, None] - looks[None]).max(axis=2) + np.eye(len(people))
    alike = [
        any(distance[i, j] < 0.09 and cuts[i] == cuts[j] for j in range(len(people)))
        for i in range(len(people))
    ]
    assert np.mean(alike) > 0.4
    assert len({p.betas.tobytes() for p in people}) == len(people)
    assert len({(p.skin, p.head.hair_rgb) for p in people}) == len(people)


def test_an_identity_is_a_function_of_its_number():
    a, b = sample_identity(4, 11, 0.5), sample_identity(4, 11, 0.5)
    assert np.array_equal(a.betas, b.betas)
    assert replace(a, betas=b.betas) == b
    assert sample_identity(4, 12, 0.5).shoes != a.shoes
