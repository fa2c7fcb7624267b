from __future__ import annotations

import cv2
import numpy as np

from genreid.synthetic.clothes.canvas import HEIGHT_PX, LIFT_STEP_M, WIDTH_PX, Canvas, to_px


def naive_cover(outline_m: list[tuple[float, float]]) -> np.ndarray:
    """Share of each texture pixel inside the polygon, by drawing it sixteen times as large."""
    corners = np.rint(to_px(np.array(outline_m)) * 16).astype(np.int32)
    large = np.zeros((HEIGHT_PX * 16, WIDTH_PX * 16), np.uint8)
    cv2.fillPoly(large, [corners], 255)
    return cv2.resize(large, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA) / 255.0


def test_polygons_are_filled_with_soft_edges() -> None:
    star = [(-0.4, -0.3), (0.05, 0.62), (0.3, -0.41), (-0.45, 0.21), (0.5, 0.33)]
    canvas = Canvas((0.0, 0.0, 0.0))
    canvas.fill(star, (1.0, 0.5, 0.0), pages=(0,))
    corners = to_px(np.array(star))
    expected = naive_even_odd(corners)
    drawn = canvas.texture[0, :, :, 0] / 255.0
    assert np.abs(drawn - expected).mean() < 2e-3
    assert np.abs(drawn - expected).max() < 0.35  # four scan lines a pixel, at tips
    assert (canvas.texture[1, :, :, :3] == 0).all()


def naive_even_odd(corners: np.ndarray) -> np.ndarray:
    """Coverage by testing 8×8 points a pixel with the even-odd rule."""
    grid = (np.arange(8) + 0.5) / 8
    y, x = np.meshgrid(
        (np.arange(HEIGHT_PX)[:, None] + grid).ravel(),
        (np.arange(WIDTH_PX)[:, None] + grid).ravel(),
        indexing="ij",
    )
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(np.roll(corners, 1, axis=0), corners, strict=True):
        crosses = (ay <= y) != (by <= y)
        inside ^= crosses & (x < ax + (y - ay) / (by - ay + 1e-30) * (bx - ax))
    return inside.reshape(HEIGHT_PX, 8, WIDTH_PX, 8).mean(axis=(1, 3))


def test_convex_shapes_agree_with_opencv() -> None:
    outline = [(-0.3, -0.2), (0.2, -0.25), (0.26, 0.4), (-0.1, 0.5)]
    canvas = Canvas((0.0, 0.0, 0.0))
    canvas.fill(outline, (1.0, 1.0, 1.0))
    assert np.abs(canvas.texture[1, :, :, 2] / 255.0 - naive_cover(outline)).mean() < 1e-3


def test_what_sticks_out_of_the_page_is_cut() -> None:
    canvas = Canvas((0.2, 0.2, 0.2))
    canvas.fill([(-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0)], (1.0, 1.0, 1.0), cloth=1.0, lift_m=0.01)
    assert (canvas.texture == 255).all()
    assert (canvas.lift == round(0.01 / LIFT_STEP_M)).all()


def test_bands_add_thickness() -> None:
    canvas = Canvas((0.2, 0.2, 0.2))
    canvas.fill([(-0.2, 0.0), (0.2, 0.0), (0.2, 0.4), (-0.2, 0.4)], (0.5, 0.5, 0.5), lift_m=0.01)
    canvas.line([(0.0, 0.0), (0.0, 0.4)], 0.05, (0.9, 0.1, 0.1), lift_m=0.005)
    u, v = to_px(np.array([0.0, 0.2])).astype(int)
    assert canvas.lift[0, v, u] * LIFT_STEP_M == 0.015
    assert canvas.lift[0, v, u + 12] * LIFT_STEP_M == 0.01
