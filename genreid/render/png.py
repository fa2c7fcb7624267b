"""Grey pictures as PNG, one channel of 8 bits: mesh views and masks in their shards."""

from __future__ import annotations

import cv2
import numpy as np

from genreid.errors import GenreidError


def encode_png(view: np.ndarray) -> bytes:
    """A (h, w) uint8 picture as PNG."""
    done, encoded = cv2.imencode(".png", view)
    assert done, view.shape
    return bytes(encoded)


def decode_png(png: bytes) -> np.ndarray:
    """The (h, w) uint8 picture in a PNG.

    Raises:
        GenreidError: it is no picture.
    """
    view = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_GRAYSCALE) if png else None
    if view is None:
        raise GenreidError(f"{len(png)} bytes are no PNG picture")
    return view
