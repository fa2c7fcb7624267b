"""Looking every image of a data set over, once, before anything relies on it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from genreid.data.files import read_file
from genreid.data.images import decode_image
from genreid.errors import GenreidError, is_of_machine

_MOST_PX = 2**15 - 1  # what the manifest's columns hold


@dataclass(frozen=True)
class ImageFacts:
    """What the manifest keeps of one image; the sizes are None and `detail` says why where it is unreadable.

    height, width: in pixels, EXIF rotation applied. num_bytes: of the file.
    """

    height: int | None
    width: int | None
    num_bytes: int | None
    detail: str | None

    @property
    def status(self) -> str:
        return "ok" if self.detail is None else "unreadable"


def inspect_image(path: Path, root: Path | None = None) -> ImageFacts:
    """Decode the image at `path` from its first byte to its last; nothing is kept of it.

    root: the folder of the data set. Only what is wrong with the file itself is a fact about it: raises
    OSError or MemoryError where the machine cannot look at it now (`genreid.data.files`).
    """
    Image.init()  # all decoders, before any file: one that could not be imported would be a picture's fault
    try:
        encoded = read_file(path, root)
    except GenreidError as error:
        return _unreadable(str(error).removeprefix(f"{path}: "))
    # Two decoders: Pillow notices a file that was cut short, and OpenCV is the one that training uses.
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
    except Exception as error:  # a damaged file may raise anything inside a decoder
        if is_of_machine(error):
            raise
        return _unreadable(str(error) or type(error).__name__, len(encoded))
    try:
        height, width = decode_image(encoded, path).shape[:2]
    except GenreidError:
        return _unreadable("OpenCV cannot decode it", len(encoded))
    if max(height, width) > _MOST_PX:
        return _unreadable(f"{height}x{width} pixels: more than {_MOST_PX} along a side", len(encoded))
    return ImageFacts(height, width, len(encoded), None)


def _unreadable(detail: str, num_bytes: int | None = None) -> ImageFacts:
    # Pillow names the buffer that it was given; whose it is says the row.
    detail = "no image" if detail.startswith("cannot identify image file") else detail.splitlines()[0]
    return ImageFacts(None, None, num_bytes, detail)
