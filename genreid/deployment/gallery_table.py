"""What is known of embedded images, and how a table of them is laid out, wherever it is kept.

N images, D embedding width. Without torch: what only shows or deletes need not wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from genreid.data.settings import WayName
from genreid.deployment.patterns import found_in
from genreid.deployment.where import Where
from genreid.errors import GenreidError

if TYPE_CHECKING:
    from genreid.deployment.cameras import CameraMeans

STATUSES = ("ok", "unreadable")
SCHEMA_VERSION = 2
REMEDY = "embed the folder again with `genreid embed`"
EVERYTHING = Where()
_INFO_KEY = b"genreid.embeddings"


@dataclass(frozen=True)
class GalleryInfo:
    """What holds for all rows.

    folder: that `path` is relative to. checkpoint: the file that the encoder came from; fingerprint: the
    SHA-256 of its content. height_px, width_px: the size that images were resized to. views: the way in which
    images were looked at.
    """

    folder: str
    checkpoint: str
    fingerprint: str
    height_px: int
    width_px: int
    embedding_dim: int
    views: WayName


@dataclass(frozen=True)
class Found:
    """An image of a gallery that is like a query. path: its name there; file: where it is. similarity: the
    cosine."""

    path: str
    file: Path
    similarity: float


@dataclass(frozen=True)
class Described:
    """What all galleries have, wherever their rows are. means: those of the cameras, which the rows are
    without, or None.
    """

    info: GalleryInfo
    means: CameraMeans | None

    def name_of(self, query: Path) -> str:
        """What a query is called here: its path below the folder, or its file's name."""
        folder, whole = Path(self.info.folder), query.resolve()
        return whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else query.name

    def camera_of(self, query: Path) -> str | None:
        """The camera that a query's name tells, as that of an image of the gallery does; None where it tells
        none that the gallery has."""
        if self.means is None:
            return None
        camera = found_in(self.means.pattern, "camera", self.name_of(query))
        return camera if camera in self.means.by_camera else None

    def found(self, paths: Sequence[str], similarity: Sequence[float]) -> list[Found]:
        """The images of these names, in this order."""
        folder = Path(self.info.folder)
        return [Found(path, folder / path, float(one)) for path, one in zip(paths, similarity, strict=True)]


class Searchable(Protocol):
    """A gallery that can be searched, whatever it is kept in."""

    @property
    def info(self) -> GalleryInfo: ...

    @property
    def means(self) -> CameraMeans | None: ...

    def name_of(self, query: Path) -> str: ...

    def camera_of(self, query: Path) -> str | None: ...

    def labels_of_all(self) -> pa.Table:
        """Camera and time of its readable images."""

    def count(self, where: Where = EVERYTHING) -> int:
        """How many of its readable images are asked for."""

    def nearest(self, query: np.ndarray, k: int, where: Where = EVERYTHING) -> list[Found]:
        """The images, of those that are asked for, nearest to one query (D,), similarity falling."""


def info_of(schema: pa.Schema, place: str) -> GalleryInfo:
    """What the metadata of a gallery's table say. Raises GenreidError where it is no such table."""
    encoded = (schema.metadata or {}).get(_INFO_KEY)
    if encoded is None:
        raise GenreidError(f"{place} has no genreid metadata: it is no table of embeddings; {REMEDY}")
    values = json.loads(encoded)
    if values.pop("version") != SCHEMA_VERSION:
        raise GenreidError(f"{place} is not of schema version {SCHEMA_VERSION}; {REMEDY}")
    return GalleryInfo(**values)


def gallery_schema(info: GalleryInfo) -> pa.Schema:
    """One row an image; `embedding` is null where the image is unreadable, and `detail` says why.

    `views`: how many pictures the embedding is the mean of. `camera` and `time` (of no zone): null where
    nobody asked, or where they are not known.
    """
    encoded = json.dumps({"version": SCHEMA_VERSION, **asdict(info)}, sort_keys=True).encode()
    columns = [
        pa.field("path", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("camera", pa.string()),
        pa.field("time", pa.timestamp("us")),
        pa.field("views", pa.int32()),
        pa.field("embedding", pa.list_(pa.float32(), info.embedding_dim)),
    ]
    return pa.schema(columns, metadata={_INFO_KEY: encoded})


def embeddings_of(table: pa.Table) -> np.ndarray:
    """(N, D): those of readable images."""
    chunks = [chunk.flatten().to_numpy() for chunk in table["embedding"].chunks]
    width = table.schema.field("embedding").type.list_size
    return np.concatenate([np.empty(0, np.float32), *chunks]).reshape(-1, width)
