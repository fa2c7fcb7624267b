"""A gallery that grows: the table `embeddings` of a LanceDB database, which is a folder.

Its columns and metadata are those of the Parquet file (`gallery_table`). `path` is its key: relative to the
folder of the first images, and absolute for images that lie elsewhere. Rows are as the encoder gives them,
never without the means of cameras, which would be others with every image that comes.

Each change is one commit of LanceDB: it is there whole or not at all, also after `kill -9`. Writers of ours
commit one after another, under a lock: of two that made a table at once LanceDB (0.40) lost one's rows, and
two that brought an image of one name left it there twice. Nothing happens at import: LanceDB is an extra.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.deployment.gallery_table import (
    EVERYTHING,
    Described,
    Found,
    GalleryInfo,
    embeddings_of,
    gallery_schema,
    info_of,
)
from genreid.deployment.where import Where
from genreid.errors import GenreidError

PREFIX = "lance:"
NAME, COLUMN = "embeddings", "embedding"
READABLE = "status = 'ok'"
NEAR, PARTS = 10, 20
"""Of an approximate search: candidates for each image that is asked for, whose similarities are computed once
more, and parts of the index that are looked through at least."""
_LOCK = ".genreid.lock"
_TRIES = 5
_LONGEST = timedelta(days=1)
"""Of a commit with all its repetitions; LanceDB gives up after half a minute by itself."""


def connect(folder: Path) -> Any:
    """The database in a folder, which LanceDB makes where there is none."""
    lancedb = installed(folder)
    with told(f"{PREFIX}{folder}"):
        return lancedb.connect(folder, read_consistency_interval=timedelta(0))


def installed(folder: Path) -> Any:
    """The package. Raises GenreidError where it is missing."""
    try:
        import lancedb
    except ImportError as missing:
        raise GenreidError(
            f"{PREFIX}{folder} needs the package lancedb ({missing}): install the extra `lance`: "
            "`pip install 'genreid[lance]'`"
        ) from None
    return lancedb


@dataclass(frozen=True)
class LanceGallery(Described):
    """The images of such a table, left on the disk. folder: of the database. exact: searches look at every
    image, also where there is an index. table: LanceDB's.
    """

    folder: Path
    table: Any = field(repr=False)
    exact: bool = False

    @property
    def place(self) -> str:
        """Its name, for people."""
        return f"{PREFIX}{self.folder}"

    def labels_of_all(self) -> pa.Table:
        labels = self.to_table(columns=["status", "camera", "time"])
        return labels.filter(pc.equal(labels["status"], "ok"))

    def count(self, where: Where = EVERYTHING) -> int:
        with told(self.place):
            return int(self.table.count_rows(" AND ".join(filter(None, (READABLE, where.sql())))))

    def nearest(self, query: np.ndarray, k: int, where: Where = EVERYTHING) -> list[Found]:
        """As in memory; approximate, in all that `genreid.deployment.lance_index` has put into an index,
        unless `exact`."""
        if query.shape != (self.info.embedding_dim,):
            raise GenreidError(
                f"queries are {query.shape[-1]} wide and {self.place} {self.info.embedding_dim}: embed both "
                "by one encoder"
            )
        with told(self.place):
            asked = self.table.search(query.astype(np.float32), vector_column_name=COLUMN)
            asked = asked.distance_type("cosine").limit(k).select(["path", COLUMN, "_distance"])
            asked = asked.bypass_vector_index() if self.exact else asked.refine_factor(NEAR)
            asked = asked.minimum_nprobes(PARTS).maximum_nprobes(0)  # more, where a filter leaves too few
            if condition := where.sql():
                asked = asked.where(condition, prefilter=True)
            near = asked.to_arrow()
        path = near["path"].to_pylist()
        similarity = embeddings_of(near) @ query  # LanceDB's are rounded otherwise
        order = sorted(range(len(path)), key=lambda at: (-similarity[at], path[at]))
        return self.found([path[at] for at in order], [similarity[at] for at in order])

    def to_table(self, where: Where = EVERYTHING, columns: list[str] | None = None) -> pa.Table:
        """All of it as the Parquet file has it, sorted by path; or some rows, and some columns."""
        schema = gallery_schema(self.info)
        with told(self.place):
            asked = self.table.search().select(columns or schema.names)
            rows = (asked.where(condition) if (condition := where.sql()) else asked).to_arrow()
        if columns is None:
            rows = rows.cast(schema)
        return rows.sort_by("path") if "path" in rows.column_names else rows

    def delete(self, where: Where) -> int:
        """Take out the images that are asked for; how many they were."""
        condition = where.sql()
        assert condition is not None, "an empty condition would delete all"
        with told(self.place), _one_writer(self.folder):
            return int(self.table.delete(condition).num_deleted_rows)


def open_lance(folder: Path, *, exact: bool = False) -> LanceGallery | None:
    """The gallery in a folder; None where there is none. Raises GenreidError for one that is not ours."""
    place = f"{PREFIX}{folder}"
    if not (folder / f"{NAME}.lance" / "_versions").is_dir():  # also of a first write that was killed
        return None
    database = connect(folder)
    with told(place):
        table = database.open_table(NAME)
        schema = table.schema
    return LanceGallery(info_of(schema, place), None, folder, table, exact)


def require_same(gallery: LanceGallery, info: GalleryInfo) -> None:
    """Raises GenreidError where embeddings of `info` cannot be compared with those of the gallery."""
    own = gallery.info
    if own.fingerprint != info.fingerprint:
        raise GenreidError(
            f"{gallery.place} was embedded by other weights ({own.checkpoint}, as it was then) than "
            f"{info.checkpoint} holds now: name the checkpoint by --checkpoint, or another database"
        )
    if own.views != info.views:
        raise GenreidError(
            f"{gallery.place} was embedded with --views {own.views}, and these images with --views "
            f"{info.views}: take the same, or another database"
        )


@dataclass(frozen=True)
class Put:
    """How many images a commit has added, and how many it has put in the place of older rows."""

    added: int
    updated: int


def put(folder: Path, tables: Iterator[pa.Table]) -> Put:
    """Put the rows of all tables, as `embed_folder` makes them, into the gallery of a folder, which is made
    where there is none, in one commit: an image that is there is updated.

    Until then they are kept in a file without a name, which is gone when the process is. Raises GenreidError
    for the rows of another encoder.
    """
    first = next(tables)
    info = info_of(first.schema, "these images")
    folder.mkdir(parents=True, exist_ok=True)
    database = connect(folder)
    with TemporaryFile(dir=folder) as kept:
        with pa.ipc.new_stream(kept, first.schema) as writer:
            for table in chain([first], tables):
                if not np.isfinite(embeddings_of(table)).all():
                    raise GenreidError(f"the embeddings of {info.checkpoint} are not finite: train it again")
                writer.write_table(table)
        with told(f"{PREFIX}{folder}"), _one_writer(folder):
            return _repeated(lambda: _commit(folder, database, info, kept))


@contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    """Waits for the commits of other processes; a killed one's lock is free."""
    with (folder / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _repeated(commit: Callable[[], Put]) -> Put:
    """Once more where a writer that knows no lock came first, and LanceDB has not repeated it by itself."""
    for _ in range(_TRIES - 1):
        try:
            return commit()
        except RuntimeError as error:
            if "conflict" not in str(error).lower():
                raise
    return commit()


def _commit(folder: Path, database: Any, info: GalleryInfo, kept: IO[bytes]) -> Put:
    if (gallery := open_lance(folder)) is None:
        rows = _rows(kept, info, info.folder)
        num = database.create_table(NAME, rows, on_bad_vectors="null").count_rows()
        return Put(num, 0)
    require_same(gallery, info)
    merge = gallery.table.merge_insert("path").when_matched_update_all().when_not_matched_insert_all()
    rows = _rows(kept, info, gallery.info.folder)
    done = merge.execute(rows, on_bad_vectors="null", timeout=_LONGEST)
    return Put(done.num_inserted_rows, done.num_updated_rows)


def _rows(kept: IO[bytes], info: GalleryInfo, root: str) -> pa.RecordBatchReader:
    """The kept rows, their paths relative to `root` where they lie below it, else absolute."""
    kept.seek(0)
    stream = pa.ipc.open_stream(kept)
    column = stream.schema.get_field_index("path")

    def placed() -> Iterator[pa.RecordBatch]:
        for batch in stream:
            paths = [
                placed_below(root, os.path.join(info.folder, path)) for path in batch["path"].to_pylist()
            ]
            yield batch.set_column(column, stream.schema.field(column), pa.array(paths, pa.string()))

    return pa.RecordBatchReader.from_batches(stream.schema, placed())


def placed_below(root: str, path: str) -> str:
    """An absolute path as the table has it."""
    above = root.rstrip("/") + "/"
    return path.removeprefix(above)


@contextmanager
def told(place: str) -> Iterator[None]:
    """LanceDB's errors in one line: what the machine has against its files, as the machine's."""
    try:
        yield
    except GenreidError:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = " ".join(str(error).split())
        if found := re.search(r"\(os error (\d+)\)", text):
            number = int(found[1])
            raise OSError(number, os.strerror(number), place) from error
        raise GenreidError(
            f"{place}: LanceDB cannot use it ({text[:200].rstrip('.')}): see whether it is whole, or name "
            "another database"
        ) from error
