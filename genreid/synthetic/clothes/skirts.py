"""Cloth that hangs below the crotch around both legs: skirts and coat tails, on a panel of the canvas."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.clothes.canvas import SKIRT_PANEL, Canvas, darker, rectangle
from genreid.synthetic.clothes.prints import weave
from genreid.synthetic.person.identity import Garment

CROTCH_M = -0.13


def needs_tail(garment: Garment) -> bool:
    """Whether the garment hangs below the crotch as one cloth around both legs."""
    return garment.cut in ("skirt", "dress", "coat") or (
        garment.hem_m < CROTCH_M and garment.cut not in ("trousers", "jeans", "leggings", "shorts")
    )


def paint_panel(canvas: Canvas, garment: Garment, across: tuple[float, float]) -> None:
    """The cloth below the waist of a skirt or coat; the mesh of `figure.hanging` takes it from here."""
    left, right = across
    cloth = weave(garment.rgb, garment.pattern)
    canvas.fill(rectangle(left, right, SKIRT_PANEL[2], SKIRT_PANEL[3]), cloth, cloth=1.0)
    middle = 0.5 * (left + right)
    if garment.cut not in ("skirt", "dress"):
        canvas.line([(middle, SKIRT_PANEL[3]), (middle, SKIRT_PANEL[2])], 0.012, darker(garment.rgb, 0.66))
    elif garment.front is not None or garment.flare > 0.12:
        for x in np.arange(left + 0.03, right, 0.06):
            canvas.line(
                [(float(x), SKIRT_PANEL[3]), (float(x), SKIRT_PANEL[2])], 0.012, darker(garment.rgb, 0.85)
            )
