"""Photographs of persons whose headings are known.

A folder of files such as `0001_c1_h+090.png`: person 1 before camera 1 at +90 degrees, 0 facing the camera
and positive towards the body's left, as everywhere in this program. Every photograph shows how another one of
the same person and camera looks from another side.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from genreid.data.images import read_image
from genreid.data.transforms import resize
from genreid.errors import GenreidError

NAME = re.compile(r"(\d+)_c(\d+)_h([+-]?\d+)\.png")
"""Person, camera and heading in degrees, in the name of a file."""

Persons = Literal["even", "odd", "all"]
"""By their numbers: the odd ones are for tuning, the even ones are reported."""
_CHOSEN: dict[Persons, Callable[[int], bool]] = {
    "even": lambda person: person % 2 == 0,
    "odd": lambda person: person % 2 == 1,
    "all": lambda person: True,
}


@dataclass(frozen=True)
class Photographs:
    """N photographs, sorted by file name, as an image set (`genreid.data.images.Images`).

    natives: N of (h, w, 3) uint8 RGB. person, camera, heading_deg: (N,) int64, headings of 0 to 359.
    height_px, width_px: the size at which they are looked at.
    """

    image_id: list[str]
    natives: list[np.ndarray]
    person: np.ndarray
    camera: np.ndarray
    heading_deg: np.ndarray
    height_px: int
    width_px: int

    def __len__(self) -> int:
        return len(self.image_id)

    def load_native(self, position: int) -> np.ndarray:
        """One photograph as it is."""
        return self.natives[position]

    def load(self, index: np.ndarray) -> np.ndarray:
        """Those at `index` (B,): (B, height_px, width_px, 3) uint8 RGB."""
        return np.stack([resize(self.natives[position], self.height_px, self.width_px) for position in index])

    def turned(self, index: np.ndarray, yaw_deg: int) -> np.ndarray:
        """(B,) the positions of the same persons before the same cameras, turned by an angle; −1 where there
        is no such photograph."""
        place = {key: position for position, key in enumerate(self._keys(self.heading_deg))}
        wanted = self._keys((self.heading_deg + yaw_deg) % 360)
        return np.array([place.get(wanted[position], -1) for position in index], np.int64)

    def _keys(self, heading_deg: np.ndarray) -> list[tuple[int, int, int]]:
        columns = self.person.tolist(), self.camera.tolist(), heading_deg.tolist()
        return list(zip(*columns, strict=True))


def named_headings(folder: Path, persons: Persons) -> list[tuple[Path, tuple[int, int, int]]]:
    """The files of a folder that are named so, sorted, with person, camera and heading in degrees.

    Raises GenreidError where there are none of these persons.
    """
    named = [(path, NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.png"))]
    known = [(path, (int(match[1]), int(match[2]), int(match[3]))) for path, match in named if match]
    chosen = [(path, label) for path, label in known if _CHOSEN[persons](label[0])]
    if not chosen:
        whom = "any person" if persons == "all" else f"a person of {persons} number"
        raise GenreidError(f"{folder}: no photograph of {whom} that is called as 0002_c1_h+090.png")
    return chosen


def read_photographs(folder: Path, persons: Persons, size_px: tuple[int, int]) -> Photographs:
    """Those of a folder. Raises GenreidError where there are none, or where a file is no image."""
    named = named_headings(folder, persons)
    person, camera, heading = np.array([label for _, label in named], np.int64).T
    natives = [read_image(path) for path, _ in named]
    return Photographs([path.stem for path, _ in named], natives, person, camera, heading % 360, *size_px)
