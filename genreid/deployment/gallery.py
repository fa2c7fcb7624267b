"""Embeddings of a folder of images, in one table: what a search looks through.

N images, D embedding width.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.clustering.faiss_search import nearest_in_gallery
from genreid.data.datasets.layout import IMAGE_SUFFIXES, files_below, why_no_image
from genreid.data.images import read_image
from genreid.data.settings import WayName
from genreid.deployment.cameras import CameraMeans, camera_in
from genreid.deployment.looking import Looker
from genreid.errors import GenreidError

STATUSES = ("ok", "unreadable")
SCHEMA_VERSION = 2
_INFO_KEY = b"genreid.embeddings"
_MEANS_KEY = b"genreid.camera_means"
_REMEDY = "embed the folder again with `genreid embed`"


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
class Gallery:
    """The embedded images of a table. path: N names. embedding: (N, D) float32, unit rows.

    means: those of the cameras, which the rows are without, or None.
    """

    info: GalleryInfo
    path: list[str]
    embedding: np.ndarray
    means: CameraMeans | None

    @classmethod
    def from_table(cls, table: pa.Table, place: str) -> Gallery:
        """The readable images of a table that `embed_folder` made. Raises GenreidError."""
        encoded = (table.schema.metadata or {}).get(_INFO_KEY)
        if encoded is None:
            raise GenreidError(f"{place} has no genreid metadata: it is no table of embeddings; {_REMEDY}")
        values = json.loads(encoded)
        if values.pop("version") != SCHEMA_VERSION:
            raise GenreidError(f"{place} is not of schema version {SCHEMA_VERSION}; {_REMEDY}")
        info = GalleryInfo(**values)
        kept = table.filter(pc.is_valid(table["embedding"]))
        if kept.num_rows == 0:
            raise GenreidError(f"{place} holds no embedding: none of its {table.num_rows} images is readable")
        means = table.schema.metadata.get(_MEANS_KEY)
        rows = _embeddings(kept).reshape(-1, info.embedding_dim)
        if not np.isfinite(rows).all():
            raise GenreidError(f"{place} holds embeddings that are not finite; {_REMEDY}")
        return cls(info, kept["path"].to_pylist(), rows, CameraMeans.decoded(means) if means else None)

    def name_of(self, query: Path) -> str:
        """What a query is called here: its path below the folder, or its file's name."""
        folder, whole = Path(self.info.folder), query.resolve()
        return whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else query.name

    def camera_of(self, query: Path) -> str | None:
        """The camera that a query's name tells, as that of an image of the gallery does; None where it tells
        none that the gallery has."""
        if self.means is None:
            return None
        camera = camera_in(self.means.pattern, self.name_of(query))
        return camera if camera in self.means.by_camera else None

    def nearest(self, query: np.ndarray, k: int) -> tuple[list[str], np.ndarray]:
        """Paths and cosine similarities (k,) of the images nearest to one query (D,), falling."""
        index, similarity = nearest_in_gallery(query[None], self.embedding, k)
        return [self.path[i] for i in index[0]], similarity[0]


def gallery_schema(info: GalleryInfo) -> pa.Schema:
    """One row an image; `embedding` is null where the image is unreadable, and `detail` says why.

    `views`: how many pictures the embedding is the mean of. `camera`: null where nobody asked, or where it is
    not known.
    """
    encoded = json.dumps({"version": SCHEMA_VERSION, **asdict(info)}, sort_keys=True).encode()
    columns = [
        pa.field("path", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("camera", pa.string()),
        pa.field("views", pa.int32()),
        pa.field("embedding", pa.list_(pa.float32(), info.embedding_dim)),
    ]
    return pa.schema(columns, metadata={_INFO_KEY: encoded})


def list_images(folder: Path) -> list[str]:
    """The images in a folder and below, by their suffix: relative paths, sorted. Raises GenreidError."""
    if not folder.is_dir():
        raise GenreidError(f"{folder}: no such folder; name a folder of images")
    names = [name for name in files_below(folder) if why_no_image(name) is None]
    if not names:
        raise GenreidError(f"{folder} holds no image (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    return names


def embed_folder(
    looker: Looker, names: Sequence[str], info: GalleryInfo, *, batch_size: int, num_threads: int
) -> Iterator[pa.Table]:
    """One table for each `batch_size` images, in order.

    An image that cannot be read is a row without an embedding; what the machine cannot read now raises
    OSError (`genreid.data.files`). Memory does not grow with the folder.
    """
    folder, schema = Path(info.folder), gallery_schema(info)
    with ThreadPoolExecutor(max(1, num_threads), thread_name_prefix="decode") as pool:
        for start in range(0, len(names), batch_size):
            batch = names[start : start + batch_size]
            images = list(pool.map(lambda name: _read(folder / name, folder), batch))
            yield _rows(looker, batch, images, schema)


def without_camera_means(table: pa.Table, pattern: str) -> pa.Table:
    """A whole table that `embed_folder` made, with the cameras that `pattern` finds in its paths, and their
    means taken off its embeddings and kept beside them. Raises GenreidError where it finds no camera.
    """
    there = pc.is_valid(table["embedding"]).to_numpy(zero_copy_only=False)
    paths = table["path"].to_pylist()
    cameras = [camera_in(pattern, path) for path in paths]
    kept = np.flatnonzero(there)
    rows = _embeddings(table.filter(pa.array(there))).reshape(len(kept), -1)
    means = CameraMeans.of(pattern, [paths[row] for row in kept], rows)
    centred = iter(means.take_off(rows, [cameras[row] for row in kept]))
    columns = {name: table[name] for name in table.column_names}
    columns["camera"] = pa.array(cameras, pa.string())
    columns["embedding"] = pa.array(
        [next(centred) if readable else None for readable in there], table.schema.field("embedding").type
    )
    metadata = {**table.schema.metadata, _MEANS_KEY: means.encoded()}
    return pa.table(columns, schema=table.schema.with_metadata(metadata))


def _embeddings(table: pa.Table) -> np.ndarray:
    """Those of readable images, one after another."""
    chunks = [chunk.flatten().to_numpy() for chunk in table["embedding"].chunks]
    return np.concatenate([np.empty(0, np.float32), *chunks])


def _read(path: Path, folder: Path) -> np.ndarray | str:
    """The image, or why there is none."""
    try:
        return read_image(path, folder)
    except GenreidError as error:
        return str(error).removeprefix(f"{path}: ").split(":")[0]


def _rows(
    looker: Looker, names: Sequence[str], images: Sequence[np.ndarray | str], schema: pa.Schema
) -> pa.Table:
    readable = {name: image for name, image in zip(names, images, strict=True) if not isinstance(image, str)}
    found = zip(*looker.embed(list(readable), list(readable.values())), strict=True) if readable else ()
    by_name = dict(zip(readable, found, strict=True))
    columns = {
        "path": list(names),
        "status": ["unreadable" if isinstance(image, str) else "ok" for image in images],
        "detail": [image if isinstance(image, str) else None for image in images],
        "height": [None if isinstance(image, str) else image.shape[0] for image in images],
        "width": [None if isinstance(image, str) else image.shape[1] for image in images],
        "camera": [None] * len(names),
        "views": [int(by_name[name][1]) if name in by_name else None for name in names],
        "embedding": [by_name[name][0] if name in by_name else None for name in names],
    }
    return pa.table(columns, schema=schema)
