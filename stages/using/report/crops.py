"""An image of the data set as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from genreid.data.images import ImageSet
    from genreid.data.manifest import Manifest


@dataclass(frozen=True)
class Crop:
    """image_id, camera and person: of the manifest; person is None where it is not known. picture: (h, w,
    3) uint8 RGB, or None where the page is without photographs."""

    image_id: str
    camera: int
    person: int | None
    picture: np.ndarray | None

    @property
    def says(self) -> str:
        """In words."""
        where = f"camera {self.camera}" if self.camera >= 0 else "unknown camera"
        who = {None: "", 0: ", a distractor", -1: ", junk"}.get(self.person, f", person {self.person}")
        return f"{self.image_id}, {where}{who}"


@dataclass(frozen=True)
class Part:
    """Images of a split: what the manifest says of them, and their pixels."""

    manifest: Manifest
    images: ImageSet
    photographs: bool

    def crop(self, position: int) -> Crop:
        person = int(self.manifest.person_id[position])
        return Crop(
            self.manifest.image_id[position],
            int(self.manifest.camera_id[position]),
            None if person < -1 else person,
            self.images.load_native(position) if self.photographs else None,
        )
