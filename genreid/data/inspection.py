"""Looking every image of a data set over, once, before anything relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genreid.data.decoding import Undecodable, decode
from genreid.data.files import AnyPath, read_each, read_file
from genreid.errors import GenreidError


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


def inspect_image(path: AnyPath, root: AnyPath | None = None) -> ImageFacts:
    """Decode the image at `path` from its first byte to its last; nothing is kept of it.

    root: the folder of the data set. Only what is wrong with the file itself is a fact about it: raises
    OSError or MemoryError where the machine cannot look at it now (`genreid.data.files`).
    """
    try:
        encoded = read_file(path, root)
    except GenreidError as error:
        return _unreadable(str(error).removeprefix(f"{path}: "))
    try:
        height, width = decode(encoded).shape[:2]
    except Undecodable as error:
        return _unreadable(str(error), len(encoded))
    return ImageFacts(height, width, len(encoded), None)


def inspect_images(root: AnyPath, paths: Sequence[str]) -> list[ImageFacts]:
    """The same of the images at `paths` below the folder of the data set, in order."""
    return list(read_each(lambda path: inspect_image(root / path, root), paths, root))


def _unreadable(detail: str, num_bytes: int | None = None) -> ImageFacts:
    return ImageFacts(None, None, num_bytes, detail)
