"""Where embeddings are kept: a Parquet file, or a LanceDB database by `lance:FOLDER`; the commands see one
gallery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import PipelineError
from pipeline.outputs import Output, holds, require
from stages.shared.outputs import outputs_of, places_of
from stages.shared.run import Project
from stages.using.pictures import check_output

if TYPE_CHECKING:
    import pyarrow as pa

    from genreid.deployment.gallery_table import GalleryInfo, Searchable
    from genreid.deployment.lance_gallery import LanceGallery

_PREFIX = "lance:"
_REMEDY = "make it by `genreid embed FOLDER`, or name another by --gallery"


class Store(Protocol):
    """A place for embeddings that the user names; `place` is how."""

    @property
    def place(self) -> str: ...

    @property
    def is_centred(self) -> bool:
        """Whether rows may be without the means of their cameras: not where rows come later."""

    @property
    def takes_boxes(self) -> bool:
        """Whether several rows may be of one image, with columns of their own."""

    def is_named(self) -> bool:
        """Whether the user names such a place, and no folder of images."""

    def check(self, project: Project) -> None:
        """Raises PipelineError or GenreidError, before any work, where nothing can be written there."""

    def check_info(self, info: GalleryInfo) -> None:
        """The same where there are embeddings that those of `info` cannot lie beside."""

    def write(self, tables: Iterator[pa.Table], index_from: int) -> dict[str, object]:
        """Keep the rows, all of them or none; what people are told of it."""

    def open(self, *, exact: bool = False) -> Searchable:
        """Raises GenreidError or PipelineError where there is no gallery."""

    def table(self) -> pa.Table:
        """All rows, in memory."""

    def index(self) -> str | None:
        """How searches are approximate, for people; None where they are exact."""


def store_at(place: Path) -> Store:
    text = str(place)
    if text.startswith(_PREFIX):
        if not text.removeprefix(_PREFIX):
            raise PipelineError(f"{text}: name the folder of the database: {_PREFIX}FOLDER")
        return LanceStore(Path(text.removeprefix(_PREFIX)))
    return ParquetStore(place)


@dataclass(frozen=True)
class ParquetStore:
    """One file, which is written anew each time."""

    path: Path
    is_centred = True
    takes_boxes = True

    @property
    def place(self) -> str:
        return str(self.path)

    def is_named(self) -> bool:
        return self.path.is_file()

    def check(self, project: Project) -> None:
        check_output(project, self.path, "embed", holds(b"genreid.embeddings"))

    def check_info(self, info: GalleryInfo) -> None:
        """It is replaced."""

    def write(self, tables: Iterator[pa.Table], index_from: int) -> dict[str, object]:
        from pipeline.artifacts import table_writer

        first = next(tables)  # a folder without images is refused
        with table_writer(self.path, first.schema) as writer:
            for table in chain([first], tables):
                writer.write_table(table)
        return {}

    def open(self, *, exact: bool = False) -> Searchable:
        from genreid.deployment.gallery import Gallery

        return Gallery.from_table(self.table(), self.place)

    def table(self) -> pa.Table:
        from pipeline.artifacts import read_table

        return read_table(self.path, _REMEDY)

    def index(self) -> str | None:
        return None


@dataclass(frozen=True)
class LanceStore:
    """A database, to which rows are added, or in which they are updated."""

    folder: Path
    is_centred = False
    takes_boxes = False

    @property
    def place(self) -> str:
        return f"{_PREFIX}{self.folder}"

    def is_named(self) -> bool:
        return True

    def check(self, project: Project) -> None:
        from genreid.deployment.lance_gallery import installed, open_lance

        if self.folder.exists() and not self.folder.is_dir():
            raise PipelineError(f"{self.place}: {self.folder} is no folder; name another database")
        # nothing in it is replaced, whoever made it
        output = Output("", self.place, self.folder.absolute(), True, lambda path: True, "`genreid embed`")
        others = [output for made in outputs_of(project.root, project.params).values() for output in made]
        require([output], places_of(project.root, project.params), others)
        installed(self.folder)
        open_lance(self.folder)

    def check_info(self, info: GalleryInfo) -> None:
        from genreid.deployment.lance_gallery import open_lance, require_same

        if gallery := open_lance(self.folder):
            require_same(gallery, info)

    def write(self, tables: Iterator[pa.Table], index_from: int) -> dict[str, object]:
        from genreid.deployment.lance_gallery import put
        from genreid.deployment.lance_index import tend

        done = put(self.folder, tables)
        gallery = self.open()
        tend(gallery, index_from)
        return {
            "added": done.added,
            "updated": done.updated,
            "images there": gallery.count(),
            "searches": self.index() or "exact",
        }

    def open(self, *, exact: bool = False) -> LanceGallery:
        from genreid.deployment.lance_gallery import installed, open_lance

        installed(self.folder)
        if (gallery := open_lance(self.folder, exact=exact)) is None:
            raise PipelineError(f"{self.place}: no gallery is there; {_REMEDY}")
        return gallery

    def table(self) -> pa.Table:
        return self.open().to_table()

    def index(self) -> str | None:
        from genreid.deployment.lance_index import index_of

        index = index_of(self.open())
        return None if index is None else str(index)
