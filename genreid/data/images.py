"""Loading images: decoded once, kept as bytes at the training size, and without any identity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from genreid.data.decoding import Undecodable, decode
from genreid.data.files import AnyPath, read_each, read_file
from genreid.data.manifest import Manifest
from genreid.data.objects import ObjectPath, reading_threads
from genreid.data.transforms import resize
from genreid.errors import GenreidError

_CACHE_BYTES = 2 * 1024**3
_CHANGED = "the data set has changed, run `genreid prepare-data` again"


def read_image(path: AnyPath, root: AnyPath | None = None) -> np.ndarray:
    """Decode the image at `path`: (h, w, 3) uint8 RGB, EXIF rotation applied, grey and alpha converted.

    Raises:
        GenreidError: the file is missing or no readable image.
        OSError: the machine's fault; see `read_file`, and there for `root`.
    """
    return decode_image(_read_known(path, root), path)


def decode_image(encoded: bytes, path: AnyPath) -> np.ndarray:
    """The same of the bytes of a file; `path` is for the message."""
    try:
        return decode(encoded)
    except Undecodable:
        raise GenreidError(
            f"{path}: not a readable image: run `genreid prepare-data` to leave it out"
        ) from None


def _read_known(path: AnyPath, root: AnyPath | None) -> bytes:
    """The bytes of a file that was there before."""
    try:
        return read_file(path, root)
    except GenreidError as error:
        raise GenreidError(f"{error}: {_CHANGED}") from None


class Images(Protocol):
    """What is asked of a set of images by those who do not train on it; an `ImageSet` is one."""

    image_id: list[str]
    height_px: int
    width_px: int

    def load_native(self, position: int) -> np.ndarray:
        """One image as it is: (h, w, 3) uint8 RGB."""
        ...

    def load(self, index: np.ndarray) -> np.ndarray:
        """The images at `index` (B,): (B, height_px, width_px, 3) uint8 RGB."""
        ...


class ImageSet:
    """The images of one or more splits as training may see them: pixels and cameras, no identities.

    root: the folder that the manifest's paths are relative to. Images are kept at the training size after
    the first decoding, as long as all of them fit into 2 GiB; a larger set is read and decoded each time.

    Attributes: image_id (N,) list, camera_id (N,) int16, height_px, width_px (training size).
    """

    def __init__(self, root: AnyPath, manifest: Manifest, *, num_threads: int = 2) -> None:
        self.image_id = manifest.image_id
        self.camera_id = manifest.camera_id
        self.height_px = manifest.info.height_px
        self.width_px = manifest.info.width_px
        self._root = root
        self._paths = [root / path for path in manifest.path]
        self._num_bytes = manifest.num_bytes
        is_far = isinstance(root, ObjectPath)
        own = None if is_far else ThreadPoolExecutor(max(1, num_threads), thread_name_prefix="decode")
        self._threads = own or reading_threads()
        shape = (len(self), self.height_px, self.width_px, 3)
        fits = int(np.prod(shape)) <= _CACHE_BYTES
        self._cache = np.empty(shape, np.uint8) if fits else None
        self._cached = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return len(self._paths)

    def load_native(self, position: int) -> np.ndarray:
        """The image at `position` as it is in its file: (h, w, 3) uint8 RGB.

        Raises:
            GenreidError: the file is missing, no readable image, or not the one that the manifest knows.
            OSError: the machine's fault; see `read_file`.
        """
        path, expected = self._paths[position], int(self._num_bytes[position])
        encoded = _read_known(path, self._root)
        if expected >= 0 and len(encoded) != expected:
            raise GenreidError(
                f"{path}: {len(encoded):,} bytes, {expected:,} when the manifest was made: {_CHANGED}"
            )
        return decode_image(encoded, path)

    def load_natives(self) -> list[np.ndarray]:
        """All images as they are in their files: for a few that are looked at together."""
        return list(read_each(self.load_native, range(len(self)), self._root))

    def load(self, index: np.ndarray) -> np.ndarray:
        """The images at `index` (B,): (B, height_px, width_px, 3) uint8 RGB."""
        if self._cache is None:
            return np.stack(list(self._threads.map(self._load_resized, index)))
        missing = np.unique(index[~self._cached[index]])
        for position, image in zip(missing, self._threads.map(self._load_resized, missing), strict=True):
            self._cache[position] = image
        self._cached[missing] = True
        return self._cache[index]

    def _load_resized(self, position: int) -> np.ndarray:
        return resize(self.load_native(int(position)), self.height_px, self.width_px)
