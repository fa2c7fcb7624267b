"""The encoder in whose eyes views are judged. B pictures of H×W, D embedding width, h×w its feature map."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from genreid.data.transforms import normalise
from genreid.errors import GenreidError
from genreid.models.checkpoint import load_encoder, preprocessing_of
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.models.settings import EncoderSettings
from pipeline.artifacts import read_torch

_BATCH = 64
_MOST_KEPT = 2048
"""What was seen of so many pictures is kept: those of photographs, which many ways show again."""
_SIZE_PX = 128, 64
_IMAGENET = EncoderSettings("mobilenetv2_100", 64, "imagenet", 1, 4, "average", None, "mobilenetv2")
"""What a user has before any training: ImageNet's weights out of a package (`genreid models`)."""


class Judge:
    """An encoder that learns nothing here, and the size of the pictures that it takes."""

    def __init__(self, encoder: IdentityEncoder, size_px: tuple[int, int], name: str) -> None:
        self._encoder, self.size_px, self.name = encoder.eval(), size_px, name
        self._kept: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    @classmethod
    def open(cls, file: Path | None) -> Judge:
        """Of an encoder's or a joint checkpoint; ImageNet's MobileNetV2 where there is none. GenreidError for
        what is no such file."""
        if file is None:
            return cls(build_encoder(_IMAGENET, 0), _SIZE_PX, "ImageNet's MobileNetV2, frozen")
        return cls(*open_encoder(file), str(file))

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8 → (B, D) float32 unit rows."""
        return self.look(pictures)[0]

    def look(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, and the maps (B, D, h, w) float32."""
        keys = [sha256(picture).digest() for picture in np.ascontiguousarray(pictures)]
        new = [row for row, key in enumerate(keys) if key not in self._kept]
        seen = dict(self._kept)
        for start in range(0, len(new), _BATCH):
            rows = new[start : start + _BATCH]
            for row, one in zip(rows, self._look(pictures[rows]), strict=True):
                seen[keys[row]] = one
                if len(self._kept) < _MOST_KEPT:
                    self._kept[keys[row]] = one
        embedding, maps = zip(*(seen[key] for key in keys), strict=True)
        return np.stack(embedding), np.stack(maps)

    @torch.no_grad()
    def _look(self, pictures: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        seen = self._encoder(normalise(pictures))
        return list(zip(seen.embedding.numpy(), seen.feature_map.numpy(), strict=True))


def open_encoder(file: Path) -> tuple[IdentityEncoder, tuple[int, int]]:
    """The encoder of a checkpoint and the height and width of its pictures. Raises GenreidError."""
    if not file.is_file():
        raise GenreidError(f"{file}: no such file; give an encoder's checkpoint, as models/encoder.pt")
    checkpoint = read_torch(file, "give an encoder's checkpoint, as models/encoder.pt")
    prepared = preprocessing_of(checkpoint, str(file))
    return load_encoder(checkpoint, str(file)), (prepared.height_px, prepared.width_px)
