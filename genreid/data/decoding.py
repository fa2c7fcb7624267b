"""The one way from a picture's file to its pixels, for inspection, training and every command alike.

One decoder, Pillow, because it notices a file that was cut short. On 8-bit JPEG, PNG, BMP, WebP and TIFF it
gives the very pixels that OpenCV gives.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from genreid.errors import GenreidError, is_of_machine

_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What is looked for in a file, whatever its name: Pillow would run another program for some of the others.
"""

_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_MOST_PX = 2**15 - 1  # what the manifest's columns hold

# Odd remarks about files whose pixels are all there are of no use to anybody.
warnings.filterwarnings("ignore", module=r"PIL\.")


class Undecodable(GenreidError):
    """Why the bytes of a file are no picture, in a few words."""


def decode(encoded: bytes) -> np.ndarray:
    """(h, w, 3) uint8 RGB of a picture's bytes, EXIF rotation applied; of several pictures, the first.

    Grey is repeated, alpha left out, 16-bit grey divided by 256. Raises Undecodable, and what is the
    machine's fault (MemoryError, or OSError with a number) as it is.
    """
    Image.init()  # all decoders, before any file: one that could not be imported would be a picture's fault
    try:
        with Image.open(io.BytesIO(encoded), formats=_FORMATS) as image:
            height, width = image.height, image.width
            if max(height, width) > _MOST_PX:
                raise Undecodable(f"{height}x{width} pixels: more than {_MOST_PX} along a side")
            image.load()
            return _rgb(_upright(image))
    except Undecodable:
        raise
    except Exception as error:  # a damaged file may raise anything inside a decoder
        if is_of_machine(error):
            raise
        # Pillow names the buffer that it was given; whose it is says the caller.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise Undecodable("no image" if reason.startswith("cannot identify image file") else reason) from None


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # EXIF that cannot be read says nothing of how the picture was taken
        return image


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode not in _EIGHT_BITS:
        raise Undecodable(f"pixels of mode {image.mode}: expected grey or colour of 8 bits, or grey of 16")
    # A palette's transparency, and premultiplied alpha, are made a channel before the channel is left out.
    clear = "RGBA" if image.mode in ("PA", "RGBa", "La") or "transparency" in image.info else image.mode
    return np.array(image.convert("LA" if image.mode == "La" else clear).convert("RGB"))
