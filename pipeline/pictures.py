"""Pictures as files."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MADE_BY = "genreid"
"""The `Software` of pictures that are put where a user says: by it they are known, and may be replaced."""
PNG_MARK = f"tEXtSoftware\0{MADE_BY}".encode()
"""The chunk of a PNG that says so."""


def png(picture: np.ndarray) -> bytes:
    """A uint8 RGB (H, W, 3) or grey (H, W) picture as PNG; equal pictures give equal bytes."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()
