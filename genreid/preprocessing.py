"""What is done to a picture before a network sees it: a fact about the network, which its checkpoint carries.

H×W is the size that a network takes, in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from genreid.errors import GenreidError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
RESIZE = "area averaging where it has fewer pixels then, bilinear where more"
"""The one resize, `genreid.data.transforms.resize`, in words."""


@dataclass(frozen=True)
class Preprocessing:
    """height_px, width_px: H and W. resize: how a picture gets there, in words. mean, std: taken off and
    divided by, channel by channel (RGB), of values from 0 to 1.
    """

    height_px: int
    width_px: int
    resize: str = RESIZE
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @property
    def size_px(self) -> tuple[int, int]:
        return self.height_px, self.width_px

    @property
    def size(self) -> str:
        """For people."""
        return f"{self.height_px} × {self.width_px}"

    def as_plain(self) -> dict[str, Any]:
        """Plain types, for a file."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any], source: str, remedy: str) -> Preprocessing:
        """What `as_plain` gave. source: the file's name.

        Raises GenreidError where it is another thing, or where this program prepares pictures otherwise.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or set(values) != names:
            raise GenreidError(f"{source}: its preprocessing is not {', '.join(sorted(names))}; {remedy}")
        kept = cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})
        own = cls(kept.height_px, kept.width_px)
        for name in ("resize", "mean", "std"):
            if getattr(kept, name) != getattr(own, name):
                raise GenreidError(
                    f"{source}: its pictures were prepared with {name} {getattr(kept, name)}, this program "
                    f"prepares them with {getattr(own, name)}; {remedy}"
                )
        return kept
