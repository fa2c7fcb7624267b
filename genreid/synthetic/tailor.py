"""Dress a person: paint skin, clothes and shoes on the canvas.

Heights and widths are those of the mean body in T-pose, in metres from the pelvis; the canvas follows the
body into every shape and pose.
"""

from __future__ import annotations

import numpy as np

from genreid.synthetic.canvas import (
    BACK,
    BAG_PANEL,
    BAG_SIDE_PANEL,
    BOTH,
    FRONT,
    SKIRT_PANEL,
    Canvas,
    mirrored,
    rectangle,
)
from genreid.synthetic.faces import paint_head
from genreid.synthetic.identity import RGB, Bag, Garment, Identity
from genreid.synthetic.prints import draw_print, mottled, weave

CROTCH_M = -0.13
WAIST_M = 0.075
_SHOULDER_X, _WRIST_X, _NECK_Y = 0.185, 0.665, 0.485
_SOLE_M, _SHOE_M = -0.917, -0.868


def dress(identity: Identity) -> Canvas:
    """Everything that can be painted on the person."""
    canvas = Canvas(identity.skin)
    _paint_feet(canvas, identity)
    bottom = identity.bottom
    if bottom.cut in ("leggings", "trousers", "jeans", "shorts"):
        _paint_legs(canvas, bottom)
        _paint_shoes(canvas, identity, over=identity.boots_m > 0.0 and bottom.ease_m < 0.016)
    _paint_top(canvas, identity.top)
    if bottom.cut == "dress":
        _paint_top(canvas, bottom)
    if needs_tail(bottom):
        _paint_panel(canvas, bottom, (SKIRT_PANEL[0], 0.65))
        canvas.fill(
            rectangle(-0.3, 0.3, max(bottom.hem_m, CROTCH_M), WAIST_M),
            weave(bottom.rgb, bottom.pattern),
            cloth=0.8,
            lift_m=0.008,
        )
    if bottom.cut != "dress" and identity.top.cut != "shirt" and identity.top.hem_m > WAIST_M:
        canvas.fill(rectangle(-0.3, 0.3, WAIST_M - 0.02, WAIST_M + 0.015), (0.16, 0.13, 0.11))
    if identity.outer is not None:
        _paint_outer(canvas, identity.outer)
    canvas.weather(0.16)
    paint_head(canvas, identity.head, identity.skin)
    if identity.scarf is not None:
        _paint_scarf(canvas, identity.scarf)
    _paint_bag(canvas, identity.bag)
    return canvas


def needs_tail(garment: Garment) -> bool:
    """Whether the garment hangs below the crotch as one cloth around both legs."""
    return garment.cut in ("skirt", "dress", "coat") or (
        garment.hem_m < CROTCH_M and garment.cut not in ("trousers", "jeans", "leggings", "shorts")
    )


def _darker(rgb: RGB, factor: float = 0.72) -> RGB:
    return (rgb[0] * factor, rgb[1] * factor, rgb[2] * factor)


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
    canvas.fill(rectangle(-0.34, 0.34, garment.hem_m, WAIST_M), cloth, cloth=fold, lift_m=0.6 * ease + 0.003)
    if garment.hem_m < -0.6:
        # Cloth hangs straight where calves and shins fall back.
        for bottom, top, share in ((-0.52, -0.40, 0.8), (-0.72, -0.52, 1.1), (garment.hem_m, -0.72, 1.5)):
            canvas.fill(rectangle(-0.34, 0.34, bottom, top), cloth, cloth=fold, lift_m=share * ease + 0.003)
    else:
        canvas.fill(
            rectangle(-0.34, 0.34, garment.hem_m, garment.hem_m + 0.12), cloth, cloth=fold, lift_m=1.1 * ease
        )
    seam = _darker(garment.rgb, 0.8)
    if garment.cut != "leggings":
        canvas.line([(0.0, WAIST_M), (0.0, CROTCH_M)], 0.008, seam)
        for x in (-0.1, 0.1):
            canvas.fill(rectangle(x - 0.045, x + 0.045, -0.085, 0.005), _darker(garment.rgb, 0.88), BACK)
            canvas.line([(x * 0.8, WAIST_M - 0.01), (x * 1.6, -0.02)], 0.008, seam, FRONT)
        canvas.line([(-0.3, garment.hem_m + 0.012), (0.3, garment.hem_m + 0.012)], 0.008, seam)
    if garment.stripe_rgb is not None:
        for path in ([(0.172, 0.05), (0.185, -0.2), (0.18, -0.45), (0.182, -0.6), (0.168, -0.85)],):
            canvas.line(path, 0.03, garment.stripe_rgb)
            canvas.line(mirrored(path), 0.03, garment.stripe_rgb)


def _torso_outline(hem_m: float, neck: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The trunk up to the shoulder seams; `neck` runs from the left shoulder to the right one."""
    return [
        (-0.3, hem_m),
        (0.3, hem_m),
        (0.3, 0.25),
        (_SHOULDER_X + 0.02, 0.25),
        (_SHOULDER_X + 0.02, 0.53),
        *neck,
        (-_SHOULDER_X - 0.02, 0.53),
        (-_SHOULDER_X - 0.02, 0.25),
        (-0.3, 0.25),
    ]


_NECKLINES: dict[str, list[tuple[float, float]]] = {
    "crew": [
        (0.075, 0.54),
        (0.07, 0.482),
        (0.05, 0.458),
        (0.0, 0.448),
        (-0.05, 0.458),
        (-0.07, 0.482),
        (-0.075, 0.54),
    ],
    "vee": [(0.075, 0.54), (0.068, 0.482), (0.0, 0.362), (-0.068, 0.482), (-0.075, 0.54)],
    "scoop": [
        (0.1, 0.54),
        (0.095, 0.48),
        (0.07, 0.42),
        (0.0, 0.395),
        (-0.07, 0.42),
        (-0.095, 0.48),
        (-0.1, 0.54),
    ],
    "shirt": [(0.06, 0.54), (0.055, 0.5), (0.0, 0.425), (-0.055, 0.5), (-0.06, 0.54)],
    "back": [(0.075, 0.54), (0.07, 0.5), (0.0, 0.487), (-0.07, 0.5), (-0.075, 0.54)],
    "high": [(0.09, 0.54), (0.075, 0.535), (0.0, 0.525), (-0.075, 0.535), (-0.09, 0.54)],
}
_NECKLINES["hood"] = _NECKLINES["crew"]


def _paint_top(canvas: Canvas, garment: Garment) -> None:
    """A T-shirt, shirt, sweater or hoodie, or the upper part of a dress."""
    cloth = weave(garment.rgb, garment.pattern)
    hem = max(garment.hem_m, CROTCH_M - 0.01)
    for page, name in ((FRONT, garment.collar if garment.collar in _NECKLINES else "crew"), (BACK, "back")):
        canvas.fill(_torso_outline(hem, _NECKLINES[name]), cloth, page, cloth=0.9, lift_m=garment.ease_m)
    _drape_waist(canvas, cloth, hem, garment.ease_m)
    _paint_sleeves(canvas, garment)
    if garment.collar == "shirt":
        for sign in (1, -1):
            collar = [(0.06 * sign, 0.51), (0.085 * sign, 0.475), (0.05 * sign, 0.415), (0.008 * sign, 0.43)]
            canvas.fill(collar, _darker(garment.rgb, 1.06), FRONT, lift_m=0.004, add=True)
        canvas.fill(
            rectangle(-0.065, 0.065, 0.478, 0.505), _darker(garment.rgb, 1.04), BACK, cloth=0.4, lift_m=0.012
        )
        canvas.line([(0.0, 0.43), (0.0, hem)], 0.006, _darker(garment.rgb, 0.8), FRONT)
    if garment.cut == "hoodie":
        canvas.fill(
            [(-0.1, -0.02), (0.1, -0.02), (0.07, 0.09), (-0.07, 0.09)], _darker(garment.rgb, 0.86), FRONT
        )
    if garment.cut in ("hoodie", "sweater"):
        canvas.fill(rectangle(-0.3, 0.3, hem, hem + 0.035), _darker(garment.rgb, 0.9), lift_m=0.008)
    if garment.front is not None:
        draw_print(canvas, garment.front, back=False)
    if garment.back is not None:
        draw_print(canvas, garment.back, back=True)


def _drape_waist(canvas: Canvas, cloth: RGB | np.ndarray, hem: float, ease: float) -> None:
    """Cloth hangs from chest and shoulder blades past the narrower waist."""
    for bottom, top, share in ((0.21, 0.25, 1.25), (0.10, 0.21, 1.6), (max(hem, 0.0), 0.10, 1.3)):
        canvas.fill(rectangle(-0.3, 0.3, bottom, top), cloth, cloth=1.0, lift_m=share * ease)


def _paint_sleeves(canvas: Canvas, garment: Garment) -> None:
    cloth: RGB | np.ndarray = weave(garment.rgb, garment.pattern)
    if garment.sleeve_rgb is not None:
        cloth = garment.sleeve_rgb
    elif isinstance(cloth, np.ndarray) and garment.pattern.kind in ("hoops", "block"):
        # The rings of a hooped sleeve run around the arm, which lies along x on the canvas.
        cloth = garment.rgb if garment.pattern.kind == "block" else np.ascontiguousarray(_sideways(cloth))
    end = _SHOULDER_X + garment.sleeve * (_WRIST_X - _SHOULDER_X) + 0.01
    if garment.sleeve <= 0.0:
        for sign in (1, -1):
            shoulder = [(0.15 * sign, 0.6), (0.3 * sign, 0.6), (0.3 * sign, 0.3), (0.165 * sign, 0.38)]
            canvas.fill(shoulder, canvas.texture[0, -3, 0, :3] / 255.0, cloth=0.0, lift_m=0.0)
        return
    for sign in (1, -1):
        arm = [
            (sign * x, y)
            for x, y in ((_SHOULDER_X, 0.25), (end, 0.25), (end, 0.6), (_SHOULDER_X - 0.01, 0.6))
        ]
        canvas.fill(arm, cloth, cloth=1.0, lift_m=0.75 * garment.ease_m)
        if garment.sleeve > 0.9 and garment.cut not in ("shirt", "tshirt"):
            cuff = [
                (sign * x, y) for x, y in ((end - 0.03, 0.25), (end, 0.25), (end, 0.6), (end - 0.03, 0.6))
            ]
            canvas.fill(cuff, _darker(garment.sleeve_rgb or garment.rgb, 0.88))


def _sideways(picture: np.ndarray) -> np.ndarray:
    """A picture of hoops turned so that they run across x instead of y."""
    column = picture[:, :1]
    rows = np.arange(picture.shape[1]) % picture.shape[0]
    return np.broadcast_to(column[rows].transpose(1, 0, 2), picture.shape)


def _paint_outer(canvas: Canvas, garment: Garment) -> None:
    """A jacket or coat, closed or open in front."""
    cloth = weave(garment.rgb, garment.pattern)
    hem = max(garment.hem_m, CROTCH_M - 0.02)
    opening = garment.open_m
    neck = {"lapel": "vee", "stand": "high"}.get(garment.collar, "crew")
    canvas.fill(
        _torso_outline(hem, _NECKLINES["high" if neck == "high" else "back"]),
        cloth,
        BACK,
        cloth=0.9,
        lift_m=garment.ease_m,
    )
    if opening > 0.0:
        for sign in (1, -1):
            half = [
                (0.3, hem),
                (0.3, 0.25),
                (_SHOULDER_X + 0.02, 0.25),
                (_SHOULDER_X + 0.02, 0.53),
                (0.085, 0.53),
                (0.07, 0.48),
                (0.55 * opening + 0.015, 0.36),
                (opening, 0.2),
                (1.25 * opening, hem),
            ]
            canvas.fill([(sign * x, y) for x, y in half], cloth, FRONT, cloth=0.9, lift_m=garment.ease_m)
            edge = [(0.07, 0.48), (0.55 * opening + 0.015, 0.36), (opening, 0.2), (1.25 * opening, hem)]
            canvas.line([(sign * x, y) for x, y in edge], 0.014, _darker(garment.rgb, 0.78), FRONT)
    else:
        canvas.fill(_torso_outline(hem, _NECKLINES[neck]), cloth, FRONT, cloth=0.9, lift_m=garment.ease_m)
        _drape_waist(canvas, cloth, hem, garment.ease_m)
        canvas.line(
            [(0.0, 0.44 if neck != "vee" else 0.36), (0.0, hem)], 0.012, _darker(garment.rgb, 0.66), FRONT
        )
    _paint_sleeves(canvas, garment)
    _paint_fittings(canvas, garment, hem)
    if garment.back is not None:
        draw_print(canvas, garment.back, back=True)
    if needs_tail(garment):
        _paint_panel(canvas, garment, (0.65, SKIRT_PANEL[1]))


def _paint_fittings(canvas: Canvas, garment: Garment, hem: float) -> None:
    """Lapels, pockets, quilting and stripes of a jacket."""
    if garment.collar == "lapel":
        for sign in (1, -1):
            lapel = [(0.075 * sign, 0.5), (0.1 * sign, 0.42), (0.045 * sign, 0.3), (0.012 * sign, 0.36)]
            canvas.fill(lapel, _darker(garment.rgb, 0.85), FRONT)
    if garment.cut == "puffer":
        for y in np.arange(hem + 0.05, 0.47, 0.075):
            canvas.line([(-0.3, float(y)), (0.3, float(y))], 0.012, _darker(garment.rgb, 0.66))
        for x in np.arange(0.25, 0.62, 0.075):
            for sign in (1, -1):
                canvas.line(
                    [(sign * float(x), 0.25), (sign * float(x), 0.6)], 0.012, _darker(garment.rgb, 0.66)
                )
    for sign in (1, -1):
        canvas.line([(sign * 0.09, 0.09), (sign * 0.13, 0.0)], 0.01, _darker(garment.rgb, 0.68), FRONT)
    if garment.stripe_rgb is not None:
        for sign in (1, -1):
            canvas.fill(
                [(sign * x, y) for x, y in ((0.2, 0.415), (0.66, 0.415), (0.66, 0.6), (0.2, 0.6))],
                garment.stripe_rgb,
            )
        canvas.line([(-0.3, hem + 0.03), (0.3, hem + 0.03)], 0.02, garment.stripe_rgb)


def _paint_panel(canvas: Canvas, garment: Garment, across: tuple[float, float]) -> None:
    """The cloth below the waist of a skirt or coat; the mesh of `hanging.py` takes it from here."""
    left, right = across
    cloth = weave(garment.rgb, garment.pattern)
    canvas.fill(rectangle(left, right, SKIRT_PANEL[2], SKIRT_PANEL[3]), cloth, cloth=1.0)
    middle = 0.5 * (left + right)
    if garment.cut not in ("skirt", "dress"):
        canvas.line([(middle, SKIRT_PANEL[3]), (middle, SKIRT_PANEL[2])], 0.012, _darker(garment.rgb, 0.66))
    elif garment.front is not None or garment.flare > 0.12:
        for x in np.arange(left + 0.03, right, 0.06):
            canvas.line(
                [(float(x), SKIRT_PANEL[3]), (float(x), SKIRT_PANEL[2])], 0.012, _darker(garment.rgb, 0.85)
            )


def _paint_scarf(canvas: Canvas, rgb: RGB) -> None:
    canvas.fill(rectangle(-0.14, 0.14, 0.455, 0.54), rgb, cloth=1.0, lift_m=0.028)
    canvas.fill(rectangle(0.015, 0.075, 0.2, 0.5), rgb, FRONT, cloth=1.0, lift_m=0.03)


def _paint_bag(canvas: Canvas, bag: Bag) -> None:
    """The bag's own cloth, and its straps on the person."""
    if bag.kind == "none":
        return
    left, right, bottom, top = BAG_PANEL
    canvas.fill(rectangle(left, right, bottom, top), bag.rgb, cloth=0.4)
    canvas.fill(rectangle(*BAG_SIDE_PANEL), _darker(bag.rgb, 0.9), cloth=0.4)
    pocket_top = bottom + 0.45 * (top - bottom)
    canvas.fill(rectangle(left + 0.03, right - 0.03, bottom + 0.03, pocket_top), _darker(bag.rgb, 0.82), BACK)
    if bag.kind == "shopping":
        canvas.disc(0.5 * (left + right), 0.5 * (top + bottom), 0.07, 0.07, bag.rgb2)
    elif bag.size > 1.0:
        canvas.line([(left + 0.03, pocket_top), (right - 0.03, pocket_top)], 0.03, bag.rgb2, BACK)
    if bag.kind == "backpack":
        for sign in (1, -1):
            path = [(0.10, 0.5), (0.105, 0.42), (0.12, 0.30), (0.15, 0.16)]
            canvas.line([(sign * x, y) for x, y in path], 0.042, _darker(bag.rgb, 0.9), FRONT, lift_m=0.008)
    elif bag.kind == "shoulder":
        path = [(-bag.side * 0.09, 0.5), (0.0, 0.3), (bag.side * 0.19, 0.0)]
        canvas.line(path, 0.034, _darker(bag.rgb, 0.8), BOTH, lift_m=0.006)
