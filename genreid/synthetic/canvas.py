"""The cloth that a person's skin and clothes are painted on: two pages in the plane of the T-pose.

Page 0 is the body seen from the front, page 1 from the back; both share x (to the body's left) and y (up),
in metres from the pelvis, so one outline drawn on both pages fits. The room under the stretched arms, which no
body part uses, holds the cloth of skirts and coat tails (at +x) and of bags and hair (at −x). Besides colour
every point knows how far it stands off the skin, so that clothes have thickness where they are painted.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numba
import numpy as np

from genreid.synthetic.noise import noise_field

PX_PER_M = 240.0
LEFT_M, TOP_M = -0.96, 0.84
WIDTH_PX, HEIGHT_PX = 461, 442
FRONT, BACK, BOTH = (0,), (1,), (0, 1)
# Thickness is kept in steps of a quarter of a millimetre.
LIFT_STEP_M = 0.00025

# Room for cloth that is not body, in metres: (left, right, bottom, top).
SKIRT_PANEL = (0.36, 0.94, -0.98, -0.06)
BAG_PANEL = (-0.94, -0.66, -0.50, -0.10)
BAG_SIDE_PANEL = (-0.94, -0.66, -0.74, -0.54)
HAIR_PANEL = (-0.62, -0.36, -0.72, -0.10)

RGB = tuple[float, float, float]
_NO_PICTURE = np.zeros((0, 0, 3), dtype=np.uint8)
_NO_COLOUR = np.zeros(3, dtype=np.uint8)
_WEAVE = noise_field(HEIGHT_PX, WIDTH_PX, 26.0, 71, 4) - 0.5


def to_px(points_m: np.ndarray) -> np.ndarray:
    """(N, 2) metres to (N, 2) texture pixels (u right, v down)."""
    points_m = np.asarray(points_m, dtype=np.float64)
    return np.stack([(points_m[..., 0] - LEFT_M) * PX_PER_M, (TOP_M - points_m[..., 1]) * PX_PER_M], axis=-1)


def tint(rgb: RGB | np.ndarray) -> np.ndarray:
    """(3,) uint8 from RGB in [0, 1] (the square root of reflectance)."""
    return np.rint(np.clip(np.asarray(rgb), 0.0, 1.0) * 255.0).astype(np.uint8)


class Canvas:
    """Two pages of colour, cloth and thickness, drawn on in metres.

    Attributes:
        rgb: (2, H, W, 3) uint8, square root of reflectance.
        cloth: (2, H, W) uint8, 0 for skin to 255 for cloth that folds.
        lift: (2, H, W) uint8, thickness in `LIFT_STEP_M`.
    """

    def __init__(self, rgb: RGB) -> None:
        self.rgb = np.empty((2, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
        self.rgb[:] = tint(rgb)
        self.cloth = np.zeros((2, HEIGHT_PX, WIDTH_PX), dtype=np.uint8)
        self.lift = np.zeros((2, HEIGHT_PX, WIDTH_PX), dtype=np.uint8)

    def fill(
        self, outline_m: Sequence[tuple[float, float]], paint: RGB | np.ndarray, pages: tuple[int, ...] = BOTH,
        cloth: float | None = None, lift_m: float | None = None, add: bool = False,
    ) -> None:
        """Fill a polygon.

        Args:
            paint: a colour, or a picture (H, W, 3) uint8 of the whole page of which the outline shows a piece.
            cloth, lift_m: what the polygon changes besides colour; None leaves it.
            add: raise the thickness by `lift_m` instead of setting it.
        """
        corners = to_px(np.array(outline_m))
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, [WIDTH_PX, HEIGHT_PX])
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
        shifted = np.rint((corners - low - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(mask, [shifted], 255, lineType=cv2.LINE_AA, shift=4)
        self.stamp(mask, int(low[0]), int(low[1]), paint, pages, cloth, lift_m, add)

    def stamp(
        self, mask: np.ndarray, left: int, top: int, paint: RGB | np.ndarray, pages: tuple[int, ...],
        cloth: float | None = None, lift_m: float | None = None, add: bool = False,
    ) -> None:
        """Paint through a mask (h, w) uint8 whose corner lies at texture pixel (left, top)."""
        picture = paint if isinstance(paint, np.ndarray) and paint.ndim == 3 else None
        colour = _NO_COLOUR if picture is not None else tint(paint)
        fold = -1 if cloth is None else round(255 * cloth)
        thickness = -1 if lift_m is None else round(lift_m / LIFT_STEP_M)
        for page in pages:
            _blend(self.rgb[page], self.cloth[page], self.lift[page], mask, left, top, colour,
                   _NO_PICTURE if picture is None else picture, fold, thickness, add)

    def line(
        self, path_m: Sequence[tuple[float, float]], width_m: float, paint: RGB | np.ndarray,
        pages: tuple[int, ...] = BOTH, lift_m: float | None = None,
    ) -> None:
        """Draw a band of the given width along a path; `lift_m` adds to what lies under it."""
        path, half = np.array(path_m, dtype=np.float64), 0.5 * width_m
        step = np.gradient(path, axis=0)
        normal = np.stack([-step[:, 1], step[:, 0]], axis=1)
        normal *= half / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        outline = np.concatenate([path + normal, (path - normal)[::-1]])
        self.fill([tuple(p) for p in outline], paint, pages, lift_m=lift_m, add=True)

    def disc(self, x: float, y: float, radius_x: float, radius_y: float, paint: RGB,
             pages: tuple[int, ...] = BOTH) -> None:
        """Fill an ellipse."""
        angle = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
        self.fill([(x + radius_x * np.cos(a), y + radius_y * np.sin(a)) for a in angle], paint, pages)

    def weather(self, strength: float) -> None:
        """Uneven tone, as real cloth and skin have."""
        for page in BOTH:
            _shade(self.rgb[page], _WEAVE, strength)


@numba.njit(cache=True, nogil=True)
def _blend(
    rgb: np.ndarray, cloth: np.ndarray, lift: np.ndarray, mask: np.ndarray, left: int, top: int,
    colour: np.ndarray, picture: np.ndarray, fold: int, thickness: int, add: bool,
) -> None:
    """Mix a colour, or a picture when it is not empty, into one page; −1 leaves cloth or thickness."""
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            weight = int(mask[row, column])
            if weight == 0:
                continue
            v, u = top + row, left + column
            for c in range(3):
                new = int(picture[v, u, c]) if picture.shape[0] > 0 else int(colour[c])
                rgb[v, u, c] = (new * weight + int(rgb[v, u, c]) * (255 - weight) + 127) // 255
            if weight > 127:
                if fold >= 0:
                    cloth[v, u] = fold
                if thickness >= 0:
                    lift[v, u] = min(255, thickness + int(lift[v, u])) if add else thickness


@numba.njit(cache=True, nogil=True)
def _shade(rgb: np.ndarray, field: np.ndarray, strength: float) -> None:
    for row in range(rgb.shape[0]):
        for column in range(rgb.shape[1]):
            tone = 1.0 + strength * field[row, column]
            for c in range(3):
                rgb[row, column, c] = np.uint8(min(255.0, rgb[row, column, c] * tone))


def rectangle(left: float, right: float, bottom: float, top: float) -> list[tuple[float, float]]:
    """Corners of a rectangle."""
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def mirrored(outline_m: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same outline on the body's other side."""
    return [(-x, y) for x, y in outline_m]
