from __future__ import annotations

from dataclasses import replace

import numpy as np

from genreid.synthetic.clothes.canvas import Canvas, to_px
from genreid.synthetic.clothes.skirts import needs_tail
from genreid.synthetic.clothes.tailor import dress
from genreid.synthetic.person.identity import Garment
from tests.genreid.synthetic.people import LOGO, PLAIN, SHIRT, someone


def colour_at(canvas: Canvas, page: int, x: float, y: float) -> np.ndarray:
    u, v = to_px(np.array([x, y])).astype(int)
    return canvas.texture[page, v, u, :3].astype(int)


def test_a_print_on_the_back_is_on_the_back_alone() -> None:
    plain, printed = dress(someone()), dress(someone(top=replace(SHIRT, back=LOGO)))
    assert np.array_equal(plain.texture[0], printed.texture[0])
    red = colour_at(printed, 1, 0.06, 0.28)
    assert red[0] > 1.5 * red[1]
    assert abs(colour_at(printed, 0, 0.06, 0.28) - colour_at(plain, 1, 0.06, 0.28)).max() < 40


def test_an_open_jacket_shows_the_shirt_in_front_only() -> None:
    jacket = Garment("jacket", (0.1, 0.1, 0.8), PLAIN, sleeve=1.0, hem_m=-0.06, ease_m=0.025, open_m=0.06)
    canvas = dress(someone(outer=jacket))
    front, back, side = (colour_at(canvas, *at) for at in ((0, 0.0, 0.1), (1, 0.0, 0.1), (0, 0.12, 0.1)))
    assert front[2] < 1.3 * front[0]
    assert back[2] > 2 * back[0]
    assert side[2] > 2 * side[0]


def test_clothes_are_thick_and_skin_is_not() -> None:
    canvas = dress(someone())
    (u, v), (hand_u, hand_v) = to_px(np.array([[0.0, 0.2], [0.75, 0.4]])).astype(int)
    assert canvas.lift[0, v, u] * 0.25 >= 10
    assert canvas.lift[0, hand_v, hand_u] == 0
    assert canvas.texture[0, hand_v, hand_u, 3] == 0


def test_skirts_and_coats_hang_and_trousers_do_not() -> None:
    assert needs_tail(replace(SHIRT, cut="skirt", hem_m=-0.5))
    assert needs_tail(replace(SHIRT, cut="coat", hem_m=-0.4))
    assert not needs_tail(replace(SHIRT, cut="jeans", hem_m=-0.86))
    assert not needs_tail(SHIRT)
