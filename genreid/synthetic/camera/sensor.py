"""What a camera's electronics do to a picture: exposure, colour, blur, sharpening, noise and JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np

# The square root of light beyond which everything is white.
_BRIGHTEST = 1.6


@dataclass(frozen=True)
class Sensor:
    """The habits of one camera. Sizes are relative to a crop of 128 rows.

    Attributes:
        gain_rgb: (3,) colour cast.  level: mean brightness the exposure control aims at, of 1.
        contrast, saturation: 1 leaves them.  gamma: > 1 darkens the middle.  black: veil over the shadows.
        blur_px: of the lens.  sharpen: strength of the electronic sharpening.  noise: standard deviation of
            1.
        lines: share of the crop's resolution that is really resolved.  jpeg_quality: of 100.
    """

    gain_rgb: np.ndarray
    level: float
    contrast: float
    saturation: float
    gamma: float
    black: float
    blur_px: float
    sharpen: float
    noise: float
    lines: float
    jpeg_quality: int


def sample_sensor(rng: np.random.Generator, breadth: float = 1.0) -> Sensor:
    """A camera's electronics; `breadth` widens the spread of makes."""
    warmth, tint = breadth * rng.normal(0.0, 0.055), breadth * rng.normal(0.0, 0.03)
    return Sensor(
        gain_rgb=np.array([1.0 + warmth, 1.0 + tint, 1.0 - warmth]),
        level=float(rng.uniform(0.42, 0.58)),
        contrast=float(np.clip(rng.normal(1.08, 0.12 * breadth), 0.7, 1.5)),
        saturation=float(np.clip(rng.normal(0.88, 0.16 * breadth), 0.35, 1.4)),
        gamma=float(np.clip(rng.normal(1.0, 0.1 * breadth), 0.7, 1.4)),
        black=float(rng.uniform(0.0, 0.07 * breadth)),
        blur_px=float(rng.uniform(0.25, 0.75)),
        sharpen=float(rng.uniform(0.0, 0.8)),
        noise=float(rng.uniform(0.004, 0.015)),
        lines=float(rng.uniform(0.55, 1.0)),
        jpeg_quality=int(rng.integers(55, 92)),
    )


def expose(image: np.ndarray, sensor: Sensor, exposure: float, rng: np.random.Generator) -> np.ndarray:
    """Turn a picture of light into the picture that the camera delivers.

    The random numbers depend on the picture's size alone, so a person turned around in the same scene meets
    the same noise.

    Args:
        image: (H, W, 3) float32, square root of linear light.
        exposure: factor on it, from `auto_exposure`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    scale = height / 128.0
    exposure = exposure * np.exp(rng.normal(0.0, 0.06))
    lines = float(np.clip(sensor.lines * np.exp(rng.normal(0.0, 0.12)), 0.4, 1.0))
    blur = sensor.blur_px * scale * np.exp(rng.normal(0.0, 0.25))
    smear, direction = rng.exponential(0.5), rng.uniform(0.0, np.pi)
    noise = rng.standard_normal((height, width), dtype=np.float32)
    chroma = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), dtype=np.float32)
    image = image * (np.sqrt(sensor.gain_rgb) * exposure).astype(np.float32)
    if lines < 0.97:
        small = (max(8, round(width * lines)), max(8, round(height * lines)))
        image = cv2.resize(
            cv2.resize(image, small, interpolation=cv2.INTER_AREA),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
    image = cv2.GaussianBlur(image, (0, 0), max(0.15, blur))
    if smear > 1.2:
        image = _smear(image, min(3.5, smear) * scale, direction)
    if sensor.sharpen > 0.0:
        image = cv2.addWeighted(
            image, 1.0 + sensor.sharpen, cv2.GaussianBlur(image, (0, 0), 0.9 * scale), -sensor.sharpen, 0.0
        )
    coarse = cv2.resize(chroma, (width, height), interpolation=cv2.INTER_LINEAR)
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    _develop(image, noise, coarse, sensor.noise, sensor.saturation, _tone_curve(sensor), pixels)
    quality = int(np.clip(sensor.jpeg_quality + rng.integers(-6, 7), 40, 95))
    return _through_jpeg(pixels, quality)


def auto_exposure(plate: np.ndarray, sensor: Sensor) -> float:
    """The factor that brings the empty plate (uint8, square root of light) to the camera's usual level."""
    mean = float(plate.mean()) / 255.0
    return float(np.clip(sensor.level / max(0.05, mean), 0.6, 2.2))


def _tone_curve(sensor: Sensor) -> np.ndarray:
    """(512,) float32 what inputs from 0 to 1.6 become: contrast about the middle, shoulder, gamma, veil."""
    value = 0.42 + sensor.contrast * (np.linspace(0.0, _BRIGHTEST, 512) - 0.42)
    # A film's shoulder: highlights bend over instead of clipping.
    value = np.where(value > 0.8, 0.8 + 0.2 * np.tanh((value - 0.8) / 0.2), np.maximum(value, 0.0))
    return (sensor.black + (1.0 - sensor.black) * value**sensor.gamma).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _develop(
    image: np.ndarray,
    noise: np.ndarray,
    chroma: np.ndarray,
    grain: float,
    saturation: float,
    curve: np.ndarray,
    pixels: np.ndarray,
) -> None:
    """Saturation, tone curve and grain, into 8 bits."""
    steps = np.float32((curve.shape[0] - 1) / _BRIGHTEST)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            r, g, b = image[row, column, 0], image[row, column, 1], image[row, column, 2]
            grey = np.float32(0.3) * r + np.float32(0.59) * g + np.float32(0.11) * b
            for c in range(3):
                value = grey + np.float32(saturation) * (image[row, column, c] - grey)
                at = min(max(value * steps, np.float32(0.0)), np.float32(curve.shape[0] - 1.001))
                low = int(at)
                value = curve[low] + (at - low) * (curve[low + 1] - curve[low])
                value += grain * (noise[row, column] + 0.6 * chroma[row, column, c])
                pixels[row, column, c] = np.uint8(min(1.0, max(0.0, value)) * 255.0 + 0.5)


def _smear(image: np.ndarray, length_px: float, direction: float) -> np.ndarray:
    """Motion blur along a direction (radians)."""
    size = 2 * int(np.ceil(length_px)) + 1
    kernel = np.zeros((size, size), dtype=np.float32)
    centre = size // 2
    for t in np.linspace(-0.5, 0.5, 2 * size):
        x, y = centre + t * length_px * np.cos(direction), centre + t * length_px * np.sin(direction)
        kernel[round(y), round(x)] += 1.0
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def _through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Compressed and decompressed, RGB."""
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1])
