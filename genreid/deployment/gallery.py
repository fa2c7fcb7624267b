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
import torch

from genreid.clustering.faiss_search import nearest_in_gallery
from genreid.data.datasets.layout import IMAGE_SUFFIXES, files_below, why_no_image
from genreid.data.images import read_image
from genreid.data.transforms import normalise, resize
from genreid.errors import GenreidError
from genreid.models.encoder import IdentityEncoder

STATUSES = ("ok", "unreadable")
SCHEMA_VERSION = 1
_INFO_KEY = b"genreid.embeddings"
_REMEDY = "embed the folder again with `genreid embed`"


@dataclass(frozen=True)
class GalleryInfo:
    """What holds for all rows.

    folder: that `path` is relative to. checkpoint: the file that the encoder came from; fingerprint: the
    SHA-256 of its content. height_px, width_px: the size that images were resized to.
    """

    folder: str
    checkpoint: str
    fingerprint: str
    height_px: int
    width_px: int
    embedding_dim: int


@dataclass(frozen=True)
class Gallery:
    """The embedded images of a table. path: N names. embedding: (N, D) float32, unit rows."""

    info: GalleryInfo
    path: list[str]
    embedding: np.ndarray

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
        rows = np.concatenate([chunk.flatten().to_numpy() for chunk in kept["embedding"].chunks])
        return cls(info, kept["path"].to_pylist(), rows.reshape(-1, info.embedding_dim))

    def nearest(self, query: np.ndarray, k: int) -> tuple[list[str], np.ndarray]:
        """Paths and cosine similarities (k,) of the images nearest to one query (D,), falling."""
        index, similarity = nearest_in_gallery(query[None], self.embedding, k)
        return [self.path[i] for i in index[0]], similarity[0]


def gallery_schema(info: GalleryInfo) -> pa.Schema:
    """One row an image; `embedding` is null where the image is unreadable, and `detail` says why."""
    encoded = json.dumps({"version": SCHEMA_VERSION, **asdict(info)}, sort_keys=True).encode()
    columns = [
        pa.field("path", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
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
    encoder: IdentityEncoder,
    names: Sequence[str],
    info: GalleryInfo,
    *,
    batch_size: int,
    num_threads: int,
    device: torch.device,
) -> Iterator[pa.Table]:
    """One table for each `batch_size` images, in order. The encoder must be in evaluation mode.

    An image that cannot be read is a row without an embedding. Memory does not grow with the folder.
    """
    folder, schema = Path(info.folder), gallery_schema(info)
    with ThreadPoolExecutor(max(1, num_threads), thread_name_prefix="decode") as pool:
        for start in range(0, len(names), batch_size):
            batch = names[start : start + batch_size]
            images = list(pool.map(lambda name: _read(folder / name), batch))
            yield _rows(encoder, batch, images, info, schema, device)


def embed_image(
    encoder: IdentityEncoder, image: np.ndarray, height_px: int, width_px: int, device: torch.device
) -> np.ndarray:
    """The embedding (D,) float32 of one image (h, w, 3) uint8 RGB, by an encoder in evaluation mode."""
    return _embed(encoder, [resize(image, height_px, width_px)], device)[0]


@torch.inference_mode()
def _embed(encoder: IdentityEncoder, images: Sequence[np.ndarray], device: torch.device) -> np.ndarray:
    return encoder(normalise(np.stack(images)).to(device)).embedding.float().cpu().numpy()


def _read(path: Path) -> np.ndarray | str:
    """The image, or why there is none."""
    try:
        return read_image(path)
    except GenreidError as error:
        return str(error).removeprefix(f"{path}: ").split(":")[0]


def _rows(
    encoder: IdentityEncoder,
    names: Sequence[str],
    images: Sequence[np.ndarray | str],
    info: GalleryInfo,
    schema: pa.Schema,
    device: torch.device,
) -> pa.Table:
    readable = [image for image in images if not isinstance(image, str)]
    resized = [resize(image, info.height_px, info.width_px) for image in readable]
    embedded = iter(_embed(encoder, resized, device) if resized else [])
    columns = {
        "path": list(names),
        "status": ["unreadable" if isinstance(image, str) else "ok" for image in images],
        "detail": [image if isinstance(image, str) else None for image in images],
        "height": [None if isinstance(image, str) else image.shape[0] for image in images],
        "width": [None if isinstance(image, str) else image.shape[1] for image in images],
        "embedding": [None if isinstance(image, str) else next(embedded) for image in images],
    }
    return pa.table(columns, schema=schema)
