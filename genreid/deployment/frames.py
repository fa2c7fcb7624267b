"""The frames that boxes lie in: a folder of images or a video, one after another."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np

from genreid.data.images import read_image
from genreid.deployment.gallery import list_images
from genreid.errors import GenreidError

_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_QUIET = "-8"  # FFmpeg's own word for it


@dataclass(frozen=True)
class NoPixels:
    """In the place of an image: the status of its rows, and why."""

    status: str
    detail: str


class Frames(Protocol):
    """Frames by their positions from 0 in the order in which they can be read.

    folder: what names are relative to.
    """

    folder: Path

    def position(self, frame: int | str) -> int | None:
        """That of a frame by its number or name; None where it is known that there is none."""
        ...

    def name(self, position: int) -> str:
        """What a row's path begins with."""
        ...

    def number(self, position: int) -> int | None:
        """For the column `frame`."""
        ...

    def read(self, positions: Sequence[int], num_threads: int) -> Iterator[np.ndarray | NoPixels]:
        """(h, w, 3) uint8 RGB for each of the rising positions. A few are in memory at once."""
        ...


def open_frames(place: Path) -> Frames:
    """A folder of images or a video. Raises GenreidError."""
    if place.is_dir():
        return FolderFrames(place)
    if not place.is_file():
        raise GenreidError(
            f"{place}: no such folder and no such video; name the frames that the boxes lie in"
        )
    return VideoFrames(place)


class FolderFrames:
    """The images in a folder and below. A number means the last number in a name, such as 7 in 000007.jpg."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = list_images(folder)
        self._by_name = {name: position for position, name in enumerate(self._names)}
        self._by_number, self._repeated = _unique(map(_number, self._names))
        self._by_last_part, _ = _unique(Path(name).name for name in self._names)

    def position(self, frame: int | str) -> int | None:
        """Raises GenreidError where several images, or none at all, have a number."""
        if isinstance(frame, str):
            exact = self._by_name.get(frame)
            return exact if exact is not None else self._by_last_part.get(Path(frame).name)
        if frame in self._repeated:
            same = [name for name in self._names if _number(name) == frame]
            raise GenreidError(
                f"{self.folder} has {len(same)} images of number {frame}, {same[0]} and {same[1]}: name the "
                "folder of one sequence"
            )
        if not self._by_number:
            raise GenreidError(
                f"the boxes name frames by number, and the images of {self.folder} have none in their names, "
                f"such as {self._names[0]}"
            )
        return self._by_number.get(frame)

    def name(self, position: int) -> str:
        return self._names[position]

    def number(self, position: int) -> int | None:
        return _number(self._names[position])

    def read(self, positions: Sequence[int], num_threads: int) -> Iterator[np.ndarray | NoPixels]:
        ahead: deque[Future[np.ndarray | NoPixels]] = deque()
        with ThreadPoolExecutor(max(1, num_threads), thread_name_prefix="decode") as pool:
            for position in positions:
                ahead.append(pool.submit(self._read, self._names[position]))
                if len(ahead) > max(1, num_threads):
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _read(self, name: str) -> np.ndarray | NoPixels:
        path = self.folder / name
        try:
            return read_image(path, self.folder)
        except GenreidError as error:
            return NoPixels("unreadable", str(error).removeprefix(f"{path}: ").split(":")[0])


class VideoFrames:
    """A video as OpenCV decodes it. The first frame has number 1, as in MOTChallenge."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        self._path = path
        _capture(path).release()

    def position(self, frame: int | str) -> int | None:
        number = _number(frame) if isinstance(frame, str) else frame
        return number - 1 if number is not None and number >= 1 else None

    def name(self, position: int) -> str:
        return f"{self._path.name}#frame={position + 1}"

    def number(self, position: int) -> int | None:
        return position + 1

    def read(self, positions: Sequence[int], num_threads: int) -> Iterator[np.ndarray | NoPixels]:
        capture, at = _capture(self._path), 0
        try:
            for position in positions:
                while at < position and capture.grab():
                    at += 1
                there, image = capture.read() if at == position else (False, None)
                if there and image is not None:
                    at += 1
                    yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                else:
                    yield NoPixels(
                        "no frame", f"the video ends after frame {at}, or cannot be read any further"
                    )
        finally:
            capture.release()


def _capture(path: Path) -> cv2.VideoCapture:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _QUIET)
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(str(path))
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise GenreidError(f"{path}: no video that OpenCV can read; name a video, or a folder of frames")
    return capture


def _number(name: str) -> int | None:
    found = _LAST_NUMBER.search(Path(name).stem)
    return int(found[1]) if found else None


K = TypeVar("K")


def _unique(keys: Iterable[K | None]) -> tuple[dict[K, int], set[K]]:
    """The positions of keys that occur once, and those that occur more than once; without None."""
    found: dict[K, int] = {}
    repeated: set[K] = set()
    for position, key in enumerate(keys):
        if key is None:
            continue
        if key in found:
            repeated.add(key)
        found[key] = position
    return {key: position for key, position in found.items() if key not in repeated}, repeated
