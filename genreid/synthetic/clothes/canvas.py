"""The cloth that a person's skin and clothes are painted on: two pages in the plane of the T-pose.

Page 0 is the body seen from the front, page 1 from the back; both share x (to the body's left) and y (up),
in metres from the pelvis, so one outline drawn on both pages fits. The room under the stretched arms, which
no
body part uses, holds the cloth of skirts and coat tails (at +x) and of bags and hair (at −x). Besides colour
every point knows how far it stands off the skin, so that clothes have thickness where they are painted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from genreid.synthetic.noise import noise_field
from genreid.synthetic.person.identity import RGB

PX_PER_M = 200.0
LEFT_M, TOP_M = -0.96, 0.84
WIDTH_PX, HEIGHT_PX = 384, 368
FRONT, BACK, BOTH = (0,), (1,), (0, 1)
# Thickness is kept in steps of a quarter of a millimetre.
LIFT_STEP_M = 0.00025

# Room for cloth that is not body, in metres: (left, right, bottom, top).
SKIRT_PANEL = (0.36, 0.94, -0.98, -0.06)
BAG_PANEL = (-0.94, -0.66, -0.50, -0.10)
BAG_SIDE_PANEL = (-0.94, -0.66, -0.74, -0.54)
HAIR_PANEL = (-0.62, -0.36, -0.72, -0.10)

_NO_PICTURE = np.zeros((0, 0, 3), dtype=np.uint8)
_NO_COLOUR = np.zeros(3, dtype=np.uint8)
_CIRCLE = np.stack([np.cos(np.arange(20) * np.pi / 10), np.sin(np.arange(20) * np.pi / 10)], axis=1)
_WEAVE = (noise_field(HEIGHT_PX, WIDTH_PX, 22.0, 71, 4) - 0.5).astype(np.float32)


def to_px(points_m: np.ndarray) -> np.ndarray:
    """(N, 2) metres to (N, 2) texture pixels (u right, v down)."""
    return np.asarray(points_m) * [PX_PER_M, -PX_PER_M] + [-LEFT_M * PX_PER_M, TOP_M * PX_PER_M]


def tint(rgb: RGB | np.ndarray) -> np.ndarray:
    """(3,) uint8 from RGB in [0, 1] (the square root of reflectance)."""
    return np.array([min(255, max(0, round(255.0 * c))) for c in rgb], dtype=np.uint8)


def darker(rgb: RGB, factor: float = 0.72) -> RGB:
    """The same dye with less light on it."""
    return (rgb[0] * factor, rgb[1] * factor, rgb[2] * factor)


class Canvas:
    """Two pages of colour, cloth and thickness, drawn on in metres.

    Attributes:
        texture: (2, H, W, 4) uint8: square root of reflectance (3), and 0 for skin to 255 for cloth that
            folds.
        lift: (2, H, W) uint8, thickness in `LIFT_STEP_M`.
    """

    def __init__(self, rgb: RGB) -> None:
        self.texture = np.empty((2, HEIGHT_PX, WIDTH_PX, 4), dtype=np.uint8)
        self.texture.view(np.uint32)[:] = np.array([*tint(rgb), 0], dtype=np.uint8).view(np.uint32)
        self.lift = np.zeros((2, HEIGHT_PX, WIDTH_PX), dtype=np.uint8)

    def fill(
        self,
        outline_m: Sequence[tuple[float, float]] | np.ndarray,
        paint: RGB | np.ndarray,
        pages: tuple[int, ...] = BOTH,
        cloth: float | None = None,
        lift_m: float | None = None,
        add: bool = False,
    ) -> None:
        """Fill a polygon.

        Args:
            paint: a colour, or a picture (H, W, 3) uint8 of the whole page of which the outline shows a
                piece.
            cloth, lift_m: what the polygon changes besides colour; None leaves it.
            add: raise the thickness by `lift_m` instead of setting it.
        """
        picture = paint if isinstance(paint, np.ndarray) and paint.ndim == 3 else None
        colour = _NO_COLOUR if picture is not None else tint(paint)
        fold = -1 if cloth is None else round(255 * cloth)
        thickness = -1 if lift_m is None else round(lift_m / LIFT_STEP_M)
        corners = to_px(np.array(outline_m, dtype=np.float64))
        for page in pages:
            _fill(
                self.texture[page],
                self.lift[page],
                corners,
                colour,
                _NO_PICTURE if picture is None else picture,
                fold,
                thickness,
                add,
            )

    def line(
        self,
        path_m: Sequence[tuple[float, float]],
        width_m: float,
        paint: RGB | np.ndarray,
        pages: tuple[int, ...] = BOTH,
        lift_m: float | None = None,
    ) -> None:
        """Draw a band of the given width along a path; `lift_m` adds to what lies under it."""
        path = np.array(path_m, dtype=np.float64)
        step = np.gradient(path, axis=0)
        normal = np.stack([-step[:, 1], step[:, 0]], axis=1)
        normal *= 0.5 * width_m / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)[:, None]
        self.fill(
            np.concatenate([path + normal, (path - normal)[::-1]]), paint, pages, lift_m=lift_m, add=True
        )

    def disc(
        self, x: float, y: float, radius_x: float, radius_y: float, paint: RGB, pages: tuple[int, ...] = BOTH
    ) -> None:
        """Fill an ellipse."""
        self.fill(_CIRCLE * [radius_x, radius_y] + [x, y], paint, pages)

    def weather(self, strength: float) -> None:
        """Uneven tone, as real cloth and skin have."""
        for page in BOTH:
            _shade(self.texture[page], _WEAVE, strength)


def rectangle(left: float, right: float, bottom: float, top: float) -> list[tuple[float, float]]:
    """Corners of a rectangle."""
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def mirrored(outline_m: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same outline on the body's other side."""
    return [(-x, y) for x, y in outline_m]


@numba.njit(cache=True, nogil=True)
def _fill(
    texture: np.ndarray,
    lift: np.ndarray,
    corners: np.ndarray,
    colour: np.ndarray,
    picture: np.ndarray,
    fold: int,
    thickness: int,
    add: bool,
) -> None:
    """Even-odd fill with soft edges: four scan lines a pixel, exact coverage along each.

    A picture that is not empty takes the place of `colour`; −1 leaves cloth or thickness.
    """
    height, width = lift.shape
    first_row = max(0, int(np.floor(corners[:, 1].min())))
    last_row = min(height - 1, int(np.floor(corners[:, 1].max())))
    cover = np.zeros(width, dtype=np.float32)
    crossings = np.empty(len(corners), dtype=np.float64)
    for row in range(first_row, last_row + 1):
        low, high = width, -1
        for sub in range(4):
            y = row + 0.125 + 0.25 * sub
            count = 0
            for k in range(len(corners)):
                ax, ay = corners[k - 1, 0], corners[k - 1, 1]
                bx, by = corners[k, 0], corners[k, 1]
                if (ay <= y) != (by <= y):
                    crossings[count] = ax + (y - ay) / (by - ay) * (bx - ax)
                    count += 1
            crossings[:count].sort()
            for pair in range(0, count - 1, 2):
                start, stop = max(0.0, crossings[pair]), min(float(width), crossings[pair + 1])
                if stop <= start:
                    continue
                i, j = int(start), min(width - 1, int(stop))
                low, high = min(low, i), max(high, j)
                if i == j:
                    cover[i] += 0.25 * (stop - start)
                else:
                    cover[i] += 0.25 * (i + 1 - start)
                    cover[j] += 0.25 * (stop - j)
                    for column in range(i + 1, j):
                        cover[column] += 0.25
        for column in range(low, high + 1):
            share = cover[column]
            cover[column] = 0.0
            if share <= 0.0:
                continue
            r, g, b = colour[0], colour[1], colour[2]
            if picture.shape[0] > 0:
                r, g, b = picture[row, column, 0], picture[row, column, 1], picture[row, column, 2]
            if share < 0.999:
                r = np.uint8(texture[row, column, 0] * (1.0 - share) + r * share + 0.5)
                g = np.uint8(texture[row, column, 1] * (1.0 - share) + g * share + 0.5)
                b = np.uint8(texture[row, column, 2] * (1.0 - share) + b * share + 0.5)
            texture[row, column, 0], texture[row, column, 1], texture[row, column, 2] = r, g, b
            if share > 0.5:
                if fold >= 0:
                    texture[row, column, 3] = fold
                if thickness >= 0:
                    lift[row, column] = min(255, thickness + int(lift[row, column])) if add else thickness


@numba.njit(cache=True, nogil=True)
def _shade(texture: np.ndarray, field: np.ndarray, strength: float) -> None:
    for row in range(texture.shape[0]):
        for column in range(texture.shape[1]):
            tone = np.float32(1.0) + np.float32(strength) * field[row, column]
            for c in range(3):
                texture[row, column, c] = np.uint8(min(np.float32(255.0), texture[row, column, c] * tone))
