"""Embeddings of a folder of images, in one table: what a search looks through.

N images, D embedding width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genreid.clustering.faiss_search import nearest_in_gallery
from genreid.data.datasets.layout import IMAGE_SUFFIXES, files_below, why_no_image
from genreid.data.images import read_image
from genreid.deployment.cameras import CameraMeans
from genreid.deployment.gallery_table import (
    EVERYTHING,
    REMEDY,
    Described,
    Found,
    GalleryInfo,
    embeddings_of,
    gallery_schema,
    info_of,
)
from genreid.deployment.looking import Looker
from genreid.deployment.patterns import Told
from genreid.deployment.where import Where
from genreid.errors import GenreidError

MEANS_KEY = b"genreid.camera_means"
NOTHING_TOLD = Told()


@dataclass(frozen=True)
class Gallery(Described):
    """The embedded images of a table, in memory. path: N names. embedding: (N, D) float32, unit rows.

    labels: N rows path, camera, time.
    """

    path: list[str]
    embedding: np.ndarray
    labels: pa.Table

    @classmethod
    def from_table(cls, table: pa.Table, place: str) -> Gallery:
        """The readable images of a table that `embed_folder` made. Raises GenreidError."""
        info = info_of(table.schema, place)
        kept = table.filter(pc.is_valid(table["embedding"]))
        if kept.num_rows == 0:
            raise GenreidError(f"{place} holds no embedding: none of its {table.num_rows} images is readable")
        means = table.schema.metadata.get(MEANS_KEY)
        rows = embeddings_of(kept)
        if not np.isfinite(rows).all():
            raise GenreidError(f"{place} holds embeddings that are not finite; {REMEDY}")
        decoded = CameraMeans.decoded(means) if means else None
        return cls(info, decoded, kept["path"].to_pylist(), rows, _labels(kept))

    @property
    def camera_number(self) -> np.ndarray | None:
        """(N,) int, equal for images of one camera; None where no camera is known."""
        camera = self.labels["camera"]
        return None if camera.null_count == len(camera) else pd.factorize(camera.to_pandas())[0]

    def labels_of_all(self) -> pa.Table:
        return self.labels

    def count(self, where: Where = EVERYTHING) -> int:
        return int(np.count_nonzero(where.mask(self.labels)))

    def nearest(self, query: np.ndarray, k: int, where: Where = EVERYTHING) -> list[Found]:
        asked = np.flatnonzero(where.mask(self.labels))
        if not len(asked):
            return []
        rows = self.embedding[asked] if where else self.embedding
        index, similarity = nearest_in_gallery(query[None], rows, k)
        return self.found([self.path[asked[i]] for i in index[0]], similarity[0])


def list_images(folder: Path) -> list[str]:
    """The images in a folder and below, by their suffix: relative paths, sorted. Raises GenreidError."""
    if not folder.is_dir():
        raise GenreidError(f"{folder}: no such folder; name a folder of images")
    names = [name for name in files_below(folder) if why_no_image(name) is None]
    if not names:
        raise GenreidError(f"{folder} holds no image (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    return names


def embed_folder(
    looker: Looker,
    names: Sequence[str],
    info: GalleryInfo,
    told: Told = NOTHING_TOLD,
    *,
    batch_size: int,
    num_threads: int,
) -> Iterator[pa.Table]:
    """One table for each `batch_size` images, in order. told: how their names tell camera and time.

    An image that cannot be read is a row without an embedding; what the machine cannot read now raises
    OSError (`genreid.data.files`). Memory does not grow with the folder.
    """
    folder, schema = Path(info.folder), gallery_schema(info)
    with ThreadPoolExecutor(max(1, num_threads), thread_name_prefix="decode") as pool:
        for start in range(0, len(names), batch_size):
            batch = names[start : start + batch_size]
            images = list(pool.map(lambda name: _read(folder / name, folder), batch))
            yield _rows(looker, batch, images, told, schema)


def without_camera_means(table: pa.Table, pattern: str) -> pa.Table:
    """A whole table that `embed_folder` made, with the cameras that `pattern` finds in its paths, and their
    means taken off its embeddings and kept beside them. Raises GenreidError where it finds no camera.
    """
    there = pc.is_valid(table["embedding"]).to_numpy(zero_copy_only=False)
    paths = table["path"].to_pylist()
    cameras = Told(camera=pattern).cameras(paths)
    kept = np.flatnonzero(there)
    rows = embeddings_of(table.filter(pa.array(there)))
    means = CameraMeans.of(pattern, [paths[row] for row in kept], rows)
    centred = iter(means.take_off(rows, [cameras[row] for row in kept]))
    columns = {name: table[name] for name in table.column_names}
    columns["camera"] = pa.array(cameras, pa.string())
    columns["embedding"] = pa.array(
        [next(centred) if readable else None for readable in there], table.schema.field("embedding").type
    )
    metadata = {**table.schema.metadata, MEANS_KEY: means.encoded()}
    return pa.table(columns, schema=table.schema.with_metadata(metadata))


def _labels(table: pa.Table) -> pa.Table:
    """Path, camera, time; a table of a version before there were times has none."""
    labels = table.select([name for name in ("path", "camera", "time") if name in table.column_names])
    if "time" not in labels.column_names:
        labels = labels.append_column("time", pa.nulls(table.num_rows, pa.timestamp("us")))
    return labels.replace_schema_metadata(None)


def _read(path: Path, folder: Path) -> np.ndarray | str:
    """The image, or why there is none."""
    try:
        return read_image(path, folder)
    except GenreidError as error:
        return str(error).removeprefix(f"{path}: ").split(":")[0]


def _rows(
    looker: Looker, names: Sequence[str], images: Sequence[np.ndarray | str], told: Told, schema: pa.Schema
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
        "camera": told.cameras(names),
        "time": told.times(names),
        "views": [int(by_name[name][1]) if name in by_name else None for name in names],
        "embedding": [by_name[name][0] if name in by_name else None for name in names],
    }
    return pa.table(columns, schema=schema)
