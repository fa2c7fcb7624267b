"""Dress a person: paint skin, clothes and shoes on the canvas.

Heights and widths are those of the mean body in T-pose, in metres from the pelvis; the canvas follows the
body into every shape and pose.
"""

from __future__ import annotations

import numpy as np

from genreid.synthetic.clothes.canvas import (
    BACK,
    BAG_PANEL,
    BAG_SIDE_PANEL,
    BOTH,
    FRONT,
    SKIRT_PANEL,
    Canvas,
    darker,
    mirrored,
    rectangle,
)
from genreid.synthetic.clothes.head import paint_head
from genreid.synthetic.clothes.prints import mottled, weave
from genreid.synthetic.clothes.skirts import CROTCH_M, needs_tail, paint_panel
from genreid.synthetic.clothes.tops import paint_outer, paint_top
from genreid.synthetic.person.identity import RGB, Bag, Garment, Identity

_WAIST_M = 0.075
_SOLE_M, _SHOE_M = -0.917, -0.868


def dress(identity: Identity) -> Canvas:
    """Everything that can be painted on the person."""
    canvas = Canvas(identity.skin)
    _paint_feet(canvas, identity)
    bottom = identity.bottom
    if bottom.cut in ("leggings", "trousers", "jeans", "shorts"):
        _paint_legs(canvas, bottom)
        _paint_shoes(canvas, identity, over=identity.boots_m > 0.0 and bottom.ease_m < 0.016)
    paint_top(canvas, identity.top)
    if bottom.cut == "dress":
        paint_top(canvas, bottom)
    if needs_tail(bottom):
        paint_panel(canvas, bottom, (SKIRT_PANEL[0], 0.65))
        canvas.fill(
            rectangle(-0.3, 0.3, max(bottom.hem_m, CROTCH_M), _WAIST_M),
            weave(bottom.rgb, bottom.pattern),
            cloth=0.8,
            lift_m=0.008,
        )
    if bottom.cut != "dress" and identity.top.cut != "shirt" and identity.top.hem_m > _WAIST_M:
        canvas.fill(rectangle(-0.3, 0.3, _WAIST_M - 0.02, _WAIST_M + 0.015), (0.16, 0.13, 0.11))
    if identity.outer is not None:
        paint_outer(canvas, identity.outer)
    canvas.weather(0.16)
    paint_head(canvas, identity.head, identity.skin)
    if identity.scarf is not None:
        _paint_scarf(canvas, identity.scarf)
    _paint_bag(canvas, identity.bag)
    return canvas


def _paint_feet(canvas: Canvas, identity: Identity) -> None:
    canvas.fill(rectangle(-0.34, 0.34, -1.0, -0.78), identity.socks, cloth=0.3)
    _paint_shoes(canvas, identity, over=True)


def _paint_shoes(canvas: Canvas, identity: Identity, over: bool) -> None:
    """Shoes; boots go over the trousers or under them."""
    top = _SHOE_M + (identity.boots_m if over else 0.0)
    canvas.fill(rectangle(-0.34, 0.34, -1.0, top), identity.shoes, cloth=0.2, lift_m=0.008)
    canvas.fill(rectangle(-0.34, 0.34, -1.0, _SOLE_M), identity.soles, cloth=0.0, lift_m=0.013)
    if identity.boots_m == 0.0:
        for x in (-0.145, 0.145):
            canvas.fill(rectangle(x - 0.022, x + 0.022, -0.905, -0.882), identity.soles, FRONT)


def _paint_legs(canvas: Canvas, garment: Garment) -> None:
    """Trousers, jeans, leggings or shorts."""
    cloth: RGB | np.ndarray = weave(garment.rgb, garment.pattern)
    if garment.cut == "jeans":
        cloth = mottled(garment.rgb, 0.12)
    ease = garment.ease_m
    fold = 0.35 if garment.cut == "leggings" else 1.0
    canvas.fill(rectangle(-0.34, 0.34, garment.hem_m, _WAIST_M), cloth, cloth=fold, lift_m=0.6 * ease + 0.003)
    if garment.hem_m < -0.6:
        # Cloth hangs straight where calves and shins fall back.
        for bottom, top, share in ((-0.52, -0.40, 0.8), (-0.72, -0.52, 1.1), (garment.hem_m, -0.72, 1.5)):
            canvas.fill(rectangle(-0.34, 0.34, bottom, top), cloth, cloth=fold, lift_m=share * ease + 0.003)
    else:
        canvas.fill(
            rectangle(-0.34, 0.34, garment.hem_m, garment.hem_m + 0.12), cloth, cloth=fold, lift_m=1.1 * ease
        )
    seam = darker(garment.rgb, 0.8)
    if garment.cut != "leggings":
        canvas.line([(0.0, _WAIST_M), (0.0, CROTCH_M)], 0.008, seam)
        for x in (-0.1, 0.1):
            canvas.fill(rectangle(x - 0.045, x + 0.045, -0.085, 0.005), darker(garment.rgb, 0.88), BACK)
            canvas.line([(x * 0.8, _WAIST_M - 0.01), (x * 1.6, -0.02)], 0.008, seam, FRONT)
        canvas.line([(-0.3, garment.hem_m + 0.012), (0.3, garment.hem_m + 0.012)], 0.008, seam)
    if garment.stripe_rgb is not None:
        seam_path = [(0.172, 0.05), (0.185, -0.2), (0.18, -0.45), (0.182, -0.6), (0.168, -0.85)]
        for path in (seam_path, mirrored(seam_path)):
            canvas.line(path, 0.03, garment.stripe_rgb)


def _paint_scarf(canvas: Canvas, rgb: RGB) -> None:
    canvas.fill(rectangle(-0.14, 0.14, 0.455, 0.54), rgb, cloth=1.0, lift_m=0.028)
    canvas.fill(rectangle(0.015, 0.075, 0.2, 0.5), rgb, FRONT, cloth=1.0, lift_m=0.03)


def _paint_bag(canvas: Canvas, bag: Bag) -> None:
    """The bag's own cloth, and its straps on the person."""
    if bag.kind == "none":
        return
    left, right, bottom, top = BAG_PANEL
    canvas.fill(rectangle(left, right, bottom, top), bag.rgb, cloth=0.4)
    canvas.fill(rectangle(*BAG_SIDE_PANEL), darker(bag.rgb, 0.9), cloth=0.4)
    pocket_top = bottom + 0.45 * (top - bottom)
    canvas.fill(rectangle(left + 0.03, right - 0.03, bottom + 0.03, pocket_top), darker(bag.rgb, 0.82), BACK)
    if bag.kind == "shopping":
        canvas.disc(0.5 * (left + right), 0.5 * (top + bottom), 0.07, 0.07, bag.rgb2)
    elif bag.size > 1.0:
        canvas.line([(left + 0.03, pocket_top), (right - 0.03, pocket_top)], 0.03, bag.rgb2, BACK)
    if bag.kind == "backpack":
        for sign in (1, -1):
            path = [(0.10, 0.5), (0.105, 0.42), (0.12, 0.30), (0.15, 0.16)]
            canvas.line([(sign * x, y) for x, y in path], 0.042, darker(bag.rgb, 0.9), FRONT, lift_m=0.008)
    elif bag.kind == "shoulder":
        path = [(-bag.side * 0.09, 0.5), (0.0, 0.3), (bag.side * 0.19, 0.0)]
        canvas.line(path, 0.034, darker(bag.rgb, 0.8), BOTH, lift_m=0.006)
