"""Patterns woven into cloth and prints on chests and backs, as pictures on the canvas."""

from __future__ import annotations

import numpy as np

from genreid.synthetic.clothes.canvas import (
    BACK,
    FRONT,
    HEIGHT_PX,
    LEFT_M,
    PX_PER_M,
    TOP_M,
    WIDTH_PX,
    Canvas,
    rectangle,
    tint,
)
from genreid.synthetic.noise import noise_field
from genreid.synthetic.person.identity import RGB, Pattern, Print

_X = (LEFT_M + (np.arange(WIDTH_PX) + 0.5) / PX_PER_M)[None, :]
_Y = (TOP_M - (np.arange(HEIGHT_PX) + 0.5) / PX_PER_M)[:, None]
_BLOTCHES = noise_field(HEIGHT_PX, WIDTH_PX, 20.0, 5, 3)
_BLOTCH_STEPS = (_BLOTCHES * 255.0).round().astype(np.uint8)

# Seven-segment digits; bits from the left: top, both upper sides, middle, both lower sides, bottom.
_DIGITS = (
    0b1110111, 0b0010010, 0b1011101, 0b1011011, 0b0111010,
    0b1101011, 0b1101111, 0b1010010, 0b1111111, 0b1111011,
)  # fmt: skip


def weave(rgb: RGB, pattern: Pattern) -> RGB | np.ndarray:
    """The cloth as something that `Canvas.fill` takes: a plain colour, or a picture of the whole page."""
    if pattern.kind == "plain":
        return rgb
    share = _pattern_share(pattern)
    # 256 shades between the two colours, looked up: cheaper than mixing every point.
    ramp = np.linspace(tint(rgb), tint(pattern.rgb), 256).round().astype(np.uint8)
    steps = np.broadcast_to((share * 255.0 + 0.5).astype(np.uint8), (HEIGHT_PX, WIDTH_PX))
    return np.take(ramp, steps, axis=0)


def _pattern_share(pattern: Pattern) -> np.ndarray:
    """Broadcastable to (H, W): how much of the second colour shows at each point."""
    scale, offset = pattern.scale_m, pattern.offset_m
    if pattern.kind == "hoops":
        return _square_wave((_Y + offset) / scale, 0.4)
    if pattern.kind == "pinstripes":
        return 0.75 * _square_wave((_X + offset) / scale, 0.22)
    if pattern.kind == "checks":
        return 0.5 * _square_wave(_X / scale, 0.45) + 0.5 * _square_wave(_Y / scale, 0.45)
    if pattern.kind == "block":
        return np.clip((0.16 + offset + 0.3 * scale - _Y) * 120.0, 0.0, 1.0)
    if pattern.kind == "dots":
        u, v = _X / scale, _Y / scale
        u, v = u - np.rint(u), v - np.rint(v)
        return np.clip((0.28 - np.sqrt(u * u + v * v)) * 12.0 + 0.5, 0.0, 1.0)
    if pattern.kind == "camouflage":
        return np.clip((_BLOTCHES - 0.5) * 18.0 + 0.5, 0.0, 1.0)
    raise AssertionError(f"no such pattern: {pattern.kind}")


def _square_wave(phase: np.ndarray, share: float) -> np.ndarray:
    """1 over `share` of each period and 0 elsewhere, with edges soft over a texture pixel or two."""
    distance = np.abs(phase - np.rint(phase))
    return np.clip((0.5 * share - distance) * 16.0 + 0.5, 0.0, 1.0)


def draw_print(canvas: Canvas, item: Print, back: bool) -> None:
    """Print on the chest (front page) or between the shoulder blades (back page)."""
    page = BACK if back else FRONT
    rng = np.random.default_rng(item.seed)
    size, y = item.size_m, item.y_m + (0.03 if back else 0.0)
    if item.kind == "disc":
        canvas.disc(0.0, y, 0.55 * size, 0.55 * size, item.rgb, page)
        canvas.disc(0.0, y, 0.3 * size, 0.3 * size, item.rgb2, page)
    elif item.kind == "bar":
        canvas.fill(rectangle(-0.3, 0.3, y - 0.3 * size, y + 0.3 * size), item.rgb, page)
    elif item.kind == "chevron":
        for k in range(2):
            top = y + (0.5 - 0.65 * k) * size
            canvas.fill(
                [
                    (-0.2, top),
                    (0.0, top - 0.9 * size),
                    (0.2, top),
                    (0.2, top - 0.32 * size),
                    (0.0, top - 1.22 * size),
                    (-0.2, top - 0.32 * size),
                ],
                (item.rgb, item.rgb2)[k],
                page,
            )
    elif item.kind == "number":
        _draw_digit(canvas, int(rng.integers(10)), -0.55 * size, y, size, item.rgb, page)
        _draw_digit(canvas, int(rng.integers(10)), 0.55 * size, y, size, item.rgb, page)
    elif item.kind == "words":
        for line in range(int(rng.integers(1, 4))):
            _draw_word(canvas, rng, y + size * (0.35 - 0.34 * line), size, item.rgb, page)
    else:
        _draw_picture(canvas, rng, item, y, page)


def _draw_digit(
    canvas: Canvas, digit: int, x: float, y: float, size: float, rgb: RGB, page: tuple[int, ...]
) -> None:
    half_w, half_h, pen = 0.3 * size, 0.55 * size, 0.2 * size
    corners = {
        "tl": (x - half_w, y + half_h),
        "tr": (x + half_w, y + half_h),
        "ml": (x - half_w, y),
        "mr": (x + half_w, y),
        "bl": (x - half_w, y - half_h),
        "br": (x + half_w, y - half_h),
    }
    segments = ("tl tr", "tl ml", "tr mr", "ml mr", "ml bl", "mr br", "bl br")
    for bit, ends in enumerate(segments):
        if _DIGITS[digit] >> (6 - bit) & 1:
            start, end = (corners[name] for name in ends.split())
            # The back is seen from behind, so what is written there runs the other way.
            path = [(-px, py) if page == BACK else (px, py) for px, py in (start, end)]
            canvas.line(path, pen, rgb, page)


def _draw_word(
    canvas: Canvas, rng: np.random.Generator, y: float, size: float, rgb: RGB, page: tuple[int, ...]
) -> None:
    """A line of something like letters."""
    width, tall = rng.uniform(0.7, 1.25) * size, 0.1 * size
    x = -width
    while x < width:
        letter = rng.uniform(0.09, 0.2) * size
        canvas.fill(rectangle(x, min(width, x + 0.72 * letter), y - tall, y + tall), rgb, page)
        if rng.random() < 0.6:
            canvas.fill(
                rectangle(x + 0.25 * letter, x + 0.5 * letter, y - 0.5 * tall, y + 0.4 * tall),
                tuple(0.5 * (np.array(rgb) + 0.3)),
                page,
            )
        x += letter if rng.random() < 0.85 else 1.6 * letter


def _draw_picture(
    canvas: Canvas, rng: np.random.Generator, item: Print, y: float, page: tuple[int, ...]
) -> None:
    """A rectangular print of a few shapes."""
    half = 0.6 * item.size_m
    canvas.fill(rectangle(-half, half, y - 1.15 * half, y + 1.15 * half), item.rgb, page)
    for _ in range(int(rng.integers(2, 5))):
        x, dy = rng.uniform(-0.6, 0.6) * half, rng.uniform(-0.7, 0.7) * half
        radius = rng.uniform(0.2, 0.45) * half
        rgb = item.rgb2
        if rng.random() < 0.4:
            rgb = (
                float(rng.uniform(0.15, 0.85)),
                float(rng.uniform(0.15, 0.85)),
                float(rng.uniform(0.15, 0.85)),
            )
        canvas.disc(x, y + dy, radius, radius * rng.uniform(0.5, 1.4), rgb, page)


def mottled(rgb: RGB, strength: float) -> np.ndarray:
    """(H, W, 3) uint8 picture of an unevenly dyed cloth, such as denim."""
    ramp = np.linspace((1.0 - strength) * tint(rgb), (1.0 + strength) * tint(rgb), 256)
    return np.take(np.clip(ramp, 0, 255).round().astype(np.uint8), _BLOTCH_STEPS, axis=0)
