"""What covers trunk and arms: shirts, sweaters, dresses above the waist, jackets and coats."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.clothes.canvas import BACK, FRONT, SKIRT_PANEL, Canvas, darker, rectangle
from genreid.synthetic.clothes.prints import draw_print, weave
from genreid.synthetic.clothes.skirts import CROTCH_M, needs_tail, paint_panel
from genreid.synthetic.person.identity import RGB, Garment

_SHOULDER_X, _WRIST_X = 0.185, 0.665
_NECKLINES: dict[str, list[tuple[float, float]]] = {
    "crew": [
        (0.075, 0.54), (0.07, 0.482), (0.05, 0.458), (0.0, 0.448),
        (-0.05, 0.458), (-0.07, 0.482), (-0.075, 0.54),
    ],
    "vee": [(0.075, 0.54), (0.068, 0.482), (0.0, 0.362), (-0.068, 0.482), (-0.075, 0.54)],
    "scoop": [
        (0.1, 0.54), (0.095, 0.48), (0.07, 0.42), (0.0, 0.395),
        (-0.07, 0.42), (-0.095, 0.48), (-0.1, 0.54),
    ],
    "shirt": [(0.06, 0.54), (0.055, 0.5), (0.0, 0.425), (-0.055, 0.5), (-0.06, 0.54)],
    "back": [(0.075, 0.54), (0.07, 0.5), (0.0, 0.487), (-0.07, 0.5), (-0.075, 0.54)],
    "high": [(0.09, 0.54), (0.075, 0.535), (0.0, 0.525), (-0.075, 0.535), (-0.09, 0.54)],
}  # fmt: skip


def paint_top(canvas: Canvas, garment: Garment) -> None:
    """A T-shirt, shirt, sweater or hoodie, or the upper part of a dress."""
    cloth = weave(garment.rgb, garment.pattern)
    hem = max(garment.hem_m, CROTCH_M - 0.01)
    for page, neck in (
        (FRONT, _NECKLINES.get(garment.collar, _NECKLINES["crew"])),
        (BACK, _NECKLINES["back"]),
    ):
        canvas.fill(_torso_outline(hem, neck), cloth, page, cloth=0.9, lift_m=garment.ease_m)
    _drape_waist(canvas, cloth, hem, garment.ease_m)
    _paint_sleeves(canvas, garment)
    if garment.collar == "shirt":
        for sign in (1, -1):
            collar = [(0.06 * sign, 0.51), (0.085 * sign, 0.475), (0.05 * sign, 0.415), (0.008 * sign, 0.43)]
            canvas.fill(collar, darker(garment.rgb, 1.06), FRONT, lift_m=0.004, add=True)
        canvas.fill(
            rectangle(-0.065, 0.065, 0.478, 0.505), darker(garment.rgb, 1.04), BACK, cloth=0.4, lift_m=0.012
        )
        canvas.line([(0.0, 0.43), (0.0, hem)], 0.006, darker(garment.rgb, 0.8), FRONT)
    if garment.cut == "hoodie":
        canvas.fill(
            [(-0.1, -0.02), (0.1, -0.02), (0.07, 0.09), (-0.07, 0.09)], darker(garment.rgb, 0.86), FRONT
        )
    if garment.cut in ("hoodie", "sweater"):
        canvas.fill(rectangle(-0.3, 0.3, hem, hem + 0.035), darker(garment.rgb, 0.9), lift_m=0.008)
    if garment.front is not None:
        draw_print(canvas, garment.front, back=False)
    if garment.back is not None:
        draw_print(canvas, garment.back, back=True)


def paint_outer(canvas: Canvas, garment: Garment) -> None:
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
            edge = [(0.07, 0.48), (0.55 * opening + 0.015, 0.36), (opening, 0.2), (1.25 * opening, hem)]
            seam = _SHOULDER_X + 0.02
            half = [(0.3, hem), (0.3, 0.25), (seam, 0.25), (seam, 0.53), (0.085, 0.53), *edge]
            canvas.fill([(sign * x, y) for x, y in half], cloth, FRONT, cloth=0.9, lift_m=garment.ease_m)
            canvas.line([(sign * x, y) for x, y in edge], 0.014, darker(garment.rgb, 0.78), FRONT)
    else:
        canvas.fill(_torso_outline(hem, _NECKLINES[neck]), cloth, FRONT, cloth=0.9, lift_m=garment.ease_m)
        _drape_waist(canvas, cloth, hem, garment.ease_m)
        canvas.line(
            [(0.0, 0.44 if neck != "vee" else 0.36), (0.0, hem)], 0.012, darker(garment.rgb, 0.66), FRONT
        )
    _paint_sleeves(canvas, garment)
    _paint_fittings(canvas, garment, hem)
    if garment.back is not None:
        draw_print(canvas, garment.back, back=True)
    if needs_tail(garment):
        paint_panel(canvas, garment, (0.65, SKIRT_PANEL[1]))


def _torso_outline(hem_m: float, neck: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The trunk up to the shoulder seams; `neck` runs from the left shoulder to the right one."""
    seam = _SHOULDER_X + 0.02
    left = [(0.3, hem_m), (0.3, 0.25), (seam, 0.25), (seam, 0.53)]
    return [(-0.3, hem_m), *left, *neck, (-seam, 0.53), (-seam, 0.25), (-0.3, 0.25)]


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
            canvas.fill(cuff, darker(garment.sleeve_rgb or garment.rgb, 0.88))


def _sideways(picture: np.ndarray) -> np.ndarray:
    """A picture of hoops turned so that they run across x instead of y."""
    column = picture[:, :1]
    rows = np.arange(picture.shape[1]) % picture.shape[0]
    return np.broadcast_to(column[rows].transpose(1, 0, 2), picture.shape)


def _paint_fittings(canvas: Canvas, garment: Garment, hem: float) -> None:
    """Lapels, pockets, quilting and stripes of a jacket."""
    if garment.collar == "lapel":
        for sign in (1, -1):
            lapel = [(0.075 * sign, 0.5), (0.1 * sign, 0.42), (0.045 * sign, 0.3), (0.012 * sign, 0.36)]
            canvas.fill(lapel, darker(garment.rgb, 0.85), FRONT)
    if garment.cut == "puffer":
        for y in np.arange(hem + 0.05, 0.47, 0.075):
            canvas.line([(-0.3, float(y)), (0.3, float(y))], 0.012, darker(garment.rgb, 0.66))
        for x in np.arange(0.25, 0.62, 0.075):
            for sign in (1, -1):
                canvas.line(
                    [(sign * float(x), 0.25), (sign * float(x), 0.6)], 0.012, darker(garment.rgb, 0.66)
                )
    for sign in (1, -1):
        canvas.line([(sign * 0.09, 0.09), (sign * 0.13, 0.0)], 0.01, darker(garment.rgb, 0.68), FRONT)
    if garment.stripe_rgb is not None:
        for sign in (1, -1):
            canvas.fill(
                [(sign * x, y) for x, y in ((0.2, 0.415), (0.66, 0.415), (0.66, 0.6), (0.2, 0.6))],
                garment.stripe_rgb,
            )
        canvas.line([(-0.3, hem + 0.03), (0.3, hem + 0.03)], 0.02, garment.stripe_rgb)
