"""Small data sets in the real naming, made of coloured boxes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from genreid.data.datasets.layout import Listing


def picture(seed: int = 0, height: int = 16, width: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_images(root: Path, names: Iterable[str]) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode(path.suffix.lower(), picture(number))[1].tofile(path)


def rows(listing: Listing) -> set[tuple[str, str, int, int | None]]:
    return {(image.path, image.split, image.camera_id, image.person_id) for image in listing.images}
