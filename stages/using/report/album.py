"""Pictures inside a page: as WebP in data URIs, as many as fit into a number of bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_QUALITY = 72
_MARKUP_BYTES = 160
"""Of the element around a picture."""
_SMALLER, _SMALLEST_PX = 0.75, 320


@dataclass(frozen=True)
class Photo:
    """A picture in the page. uri: its data URI. width_px, height_px: its size."""

    uri: str
    width_px: int
    height_px: int


@dataclass
class Album:
    """Takes pictures while there is room for them.

    room: bytes that are left. left_out: how many pictures found none.
    """

    room: float
    left_out: int = 0

    @contextmanager
    def share(self, of_room: float) -> Iterator[None]:
        """Inside it only this share of the room that is left can be used."""
        kept = self.room * (1 - of_room)
        self.room -= kept
        try:
            yield
        finally:
            self.room += kept

    def add(self, picture: np.ndarray, most_px: tuple[int, int], *, may_shrink: bool = False) -> Photo | None:
        """A uint8 RGB picture (H, W, 3), made to fit into `most_px` (height, width); None without room for
        it.

        may_shrink: whether it may be made smaller than that to find room.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, most_px[0] / height, most_px[1] / width)
        while True:
            photo = _encoded(picture, max(1, round(height * scale)), max(1, round(width * scale)))
            needed = len(photo.uri) + _MARKUP_BYTES
            if needed <= self.room:
                self.room -= needed
                return photo
            if not may_shrink or photo.width_px * _SMALLER < _SMALLEST_PX:
                self.left_out += 1
                return None
            scale *= _SMALLER


def _encoded(picture: np.ndarray, height_px: int, width_px: int) -> Photo:
    from PIL import Image

    image = Image.fromarray(picture)
    if image.size != (width_px, height_px):
        image = image.resize((width_px, height_px), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.save(stream, format="WEBP", quality=_QUALITY, method=4)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return Photo(f"data:image/webp;base64,{text}", width_px, height_px)
