"""Heads: features of the face, hair and hats, painted on the canvas."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.clothes.canvas import BACK, BOTH, FRONT, HAIR_PANEL, Canvas, rectangle
from genreid.synthetic.person.identity import RGB, Head

_EYE_X, _EYE_Y, _BROW_Y, _MOUTH_Y = 0.030, 0.637, 0.655, 0.574
_HAIR_LIFT_M = {
    "bald": 0.0, "buzz": 0.003, "short": 0.013, "bob": 0.024, "long": 0.020, "ponytail": 0.011, "bun": 0.011
}  # fmt: skip


def _mixed(a: RGB, b: RGB, share: float) -> RGB:
    return tuple(float(x) for x in (1.0 - share) * np.array(a) + share * np.array(b))  # type: ignore[return-value]


def paint_head(canvas: Canvas, head: Head, skin: RGB) -> None:
    """Face, hair and hat."""
    _paint_face(canvas, head, skin)
    if head.hair != "bald":
        _paint_hair(canvas, head, skin)
    if head.hat != "none":
        _paint_hat(canvas, head)
    if head.headphones:
        for sign in (1, -1):
            canvas.disc(sign * 0.075, 0.62, 0.03, 0.035, (0.15, 0.15, 0.16))


def _paint_face(canvas: Canvas, head: Head, skin: RGB) -> None:
    shade, lip = _mixed(skin, (0.25, 0.16, 0.13), 0.35), _mixed(skin, (0.55, 0.22, 0.22), 0.45)
    # Seen from a camera overhead, eye sockets are what a face consists of.
    canvas.fill(
        [(-0.05, 0.628), (0.05, 0.628), (0.046, 0.656), (-0.046, 0.656)], _mixed(skin, shade, 0.3), FRONT
    )
    for sign in (1, -1):
        canvas.disc(sign * _EYE_X, _EYE_Y, 0.011, 0.005, _mixed(skin, (0.14, 0.1, 0.09), 0.75), FRONT)
        brow = [(sign * 0.012, _BROW_Y), (sign * 0.048, _BROW_Y + 0.003)]
        canvas.line(brow, 0.006, _mixed(head.hair_rgb, skin, 0.4), FRONT)
        canvas.disc(sign * 0.012, 0.597, 0.009, 0.006, shade, FRONT)
    canvas.disc(0.0, _MOUTH_Y, 0.024, 0.008, lip, FRONT)
    canvas.fill(rectangle(-0.03, 0.03, 0.553, 0.560), _mixed(skin, shade, 0.5), FRONT)
    if head.beard > 0.15:
        beard = _mixed(skin, head.hair_rgb, min(0.85, 0.35 + 0.6 * head.beard))
        outline = [
            (-0.066, 0.615), (-0.05, 0.585), (-0.028, 0.588), (0.028, 0.588), (0.05, 0.585), (0.066, 0.615),
            (0.05, 0.53), (0.0, 0.515), (-0.05, 0.53),
        ]  # fmt: skip
        canvas.fill(outline, beard, FRONT, lift_m=0.004)
        canvas.disc(0.0, _MOUTH_Y, 0.02, 0.006, lip, FRONT)
    if head.glasses:
        for sign in (1, -1):
            canvas.disc(sign * _EYE_X, _EYE_Y, 0.02, 0.015, (0.2, 0.2, 0.21), FRONT)
        canvas.line([(-0.065, _EYE_Y + 0.006), (0.065, _EYE_Y + 0.006)], 0.006, (0.14, 0.14, 0.14), FRONT)


def _paint_hair(canvas: Canvas, head: Head, skin: RGB) -> None:
    style, lift = head.hair, _HAIR_LIFT_M[head.hair]
    rgb = _mixed(head.hair_rgb, skin, 0.3) if style == "buzz" else head.hair_rgb
    covers_ears = style in ("bob", "long")
    side = 0.56 if covers_ears else 0.625
    fringe = 0.672 if style in ("bob", "short") else 0.69
    front = [
        (-0.12, 0.8), (-0.12, side), (-0.058, side), (-0.056, 0.665), (-0.045, fringe), (0.0, fringe + 0.006),
        (0.045, fringe), (0.056, 0.665), (0.058, side), (0.12, side), (0.12, 0.8),
    ]  # fmt: skip
    canvas.fill(front, rgb, FRONT, cloth=0.5, lift_m=lift)
    nape = 0.47 if covers_ears else 0.565
    width = 0.12 if covers_ears else 0.075
    back = [
        (-0.12, 0.8), (-0.12, 0.66), (-width, 0.64), (-width, nape + 0.03), (-0.04, nape),
        (0.04, nape), (width, nape + 0.03), (width, 0.64), (0.12, 0.66), (0.12, 0.8),
    ]  # fmt: skip
    canvas.fill(back, rgb, BACK, cloth=0.5, lift_m=lift)
    canvas.fill(rectangle(-0.12, 0.12, 0.70, 0.8), rgb, cloth=0.5, lift_m=1.15 * lift)
    strand = _mixed(rgb, (0.9, 0.85, 0.8), 0.07)
    for x in (-0.05, -0.018, 0.022, 0.052):
        canvas.line([(x, 0.75), (1.15 * x, nape + 0.04)], 0.01, strand, BACK)
    if style not in ("long", "ponytail", "bun"):
        return
    canvas.fill(rectangle(*HAIR_PANEL), rgb, cloth=0.6)
    left, right = HAIR_PANEL[:2]
    for x in np.arange(left + 0.02, right, 0.045):
        canvas.line([(float(x), HAIR_PANEL[3]), (float(x), HAIR_PANEL[2])], 0.014, strand, BOTH)


def _paint_hat(canvas: Canvas, head: Head) -> None:
    low = 0.675 if head.hat == "cap" else 0.663
    canvas.fill(rectangle(-0.12, 0.12, low, 0.8), head.hat_rgb, FRONT, cloth=0.4, lift_m=0.022)
    canvas.fill(rectangle(-0.12, 0.12, low - 0.03, 0.8), head.hat_rgb, BACK, cloth=0.4, lift_m=0.022)
    if head.hat == "beanie":
        rim = _mixed(head.hat_rgb, (0.1, 0.1, 0.1), 0.2)
        canvas.fill(rectangle(-0.12, 0.12, low, low + 0.025), rim, FRONT, lift_m=0.028)
        canvas.fill(rectangle(-0.12, 0.12, low - 0.03, low), rim, BACK, lift_m=0.028)
