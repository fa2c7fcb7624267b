"""The manifest: one row an image, and what every later stage has to know of the data set as a whole."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.errors import GenreidError

SplitName = Literal["train", "query", "gallery", "val_query", "val_gallery"]
SPLITS: tuple[str, ...] = get_args(SplitName)
STATUSES = ("ok", "unreadable")
UNLABELLED, JUNK, DISTRACTOR = -2, -1, 0
UNKNOWN_CAMERA = -1

SCHEMA_VERSION = 2
_INFO_KEY = b"genreid.manifest"

MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("camera_id", pa.int16(), nullable=False),
        pa.field("person_id", pa.int32()),
        pa.field("height", pa.int16()),
        pa.field("width", pa.int16()),
        pa.field("num_bytes", pa.int64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class ManifestInfo:
    """What holds for the whole data set.

    dataset: its name; root: the folder that `path` is relative to (itself relative to the project, or
    absolute); height_px, width_px: the size that training resizes to; body: the body model of its meshes.
    """

    dataset: str
    root: str
    height_px: int
    width_px: int
    body: str


@dataclass(frozen=True)
class Manifest:
    """The images of a data set, sorted by `image_id`.

    table: rows of `MANIFEST_SCHEMA`. Columns come as arrays: `person_id` is UNLABELLED (-2) where the
    table has null, `num_bytes` (of the file; null where nobody else can change it) then is -1.
    """

    info: ManifestInfo
    table: pa.Table

    @classmethod
    def from_rows(cls, rows: list[dict[str, Any]], info: ManifestInfo) -> Manifest:
        """A manifest of `rows` (keys as in `MANIFEST_SCHEMA`), sorted; duplicate ids are refused."""
        table = pa.Table.from_pylist(rows, schema=MANIFEST_SCHEMA).sort_by("image_id")
        return cls(info, _checked(table))

    @classmethod
    def from_table(cls, table: pa.Table) -> Manifest:
        """Read back what `to_table` wrote.

        Raises:
            GenreidError: the table is no manifest, or one of another version.
        """
        encoded = (table.schema.metadata or {}).get(_INFO_KEY)
        if encoded is None:
            raise GenreidError(
                "the manifest has no genreid metadata, so it was not written by `genreid prepare-data`: "
                "run that stage again"
            )
        try:
            values = json.loads(encoded)
            version = values.pop("version")
            if version != SCHEMA_VERSION:
                raise GenreidError(
                    f"the manifest has schema version {version}, this program reads {SCHEMA_VERSION}: "
                    "run `genreid prepare-data` again"
                )
            return cls(ManifestInfo(**values), _checked(table.cast(MANIFEST_SCHEMA)))
        except GenreidError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise GenreidError(
                f"the manifest is damaged ({type(error).__name__}): run `genreid prepare-data` again"
            ) from error

    def overview(self) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """Header and rows of a table for people: what there is of each split."""
        rows: list[tuple[object, ...]] = []
        for split in sorted(set(self.split.tolist())):
            here = self.split == split
            persons, cameras = self.person_id[here], self.camera_id[here]
            identities, places = np.unique(persons[persons > 0]), np.unique(cameras[cameras >= 0])
            unreadable = (here & (self.status != "ok")).sum()
            rows.append((split, here.sum(), unreadable, len(identities), len(places)))
        return ("split", "images", "unreadable", "identities", "cameras"), rows

    def to_table(self) -> pa.Table:
        """The rows, with the info in the schema's metadata."""
        encoded = json.dumps({"version": SCHEMA_VERSION, **asdict(self.info)}, sort_keys=True).encode()
        return self.table.replace_schema_metadata({_INFO_KEY: encoded})

    def select(self, *splits: str) -> Manifest:
        """The readable images of `splits`.

        Raises:
            GenreidError: a split is unknown, or holds no readable image.
        """
        for split in splits:
            if split not in SPLITS:
                raise GenreidError(f"no split is called {split!r}: expected one of {', '.join(SPLITS)}")
        keep = pc.and_(
            pc.is_in(self.table["split"], pa.array(splits, pa.string())), pc.equal(self.table["status"], "ok")
        )
        chosen = self.table.filter(keep)
        if chosen.num_rows == 0:
            raise GenreidError(
                f"the manifest of {self.info.dataset} has no readable image in split {' or '.join(splits)}: "
                "look at the summary of `genreid prepare-data`"
            )
        return Manifest(self.info, chosen)

    def rows(self, index: np.ndarray) -> Manifest:
        """The images at `index` (B,), rising positions."""
        return Manifest(self.info, self.table.take(pa.array(index)))

    def has_split(self, split: str) -> bool:
        """Whether any image, readable or not, belongs to `split`."""
        return bool(pc.any(pc.equal(self.table["split"], split)).as_py())

    def __len__(self) -> int:
        return self.table.num_rows

    @cached_property
    def image_id(self) -> list[str]:
        return self.table["image_id"].to_pylist()

    @cached_property
    def path(self) -> list[str]:
        return self.table["path"].to_pylist()

    @cached_property
    def split(self) -> np.ndarray:
        return np.array(self.table["split"].to_pylist())

    @cached_property
    def status(self) -> np.ndarray:
        return np.array(self.table["status"].to_pylist())

    @cached_property
    def camera_id(self) -> np.ndarray:
        return self.table["camera_id"].to_numpy().astype(np.int16)

    @cached_property
    def person_id(self) -> np.ndarray:
        return pc.fill_null(self.table["person_id"], UNLABELLED).to_numpy().astype(np.int32)

    @cached_property
    def height(self) -> np.ndarray:
        return pc.fill_null(self.table["height"], 0).to_numpy().astype(np.int16)

    @cached_property
    def num_bytes(self) -> np.ndarray:
        return pc.fill_null(self.table["num_bytes"], -1).to_numpy().astype(np.int64)

    @cached_property
    def width(self) -> np.ndarray:
        return pc.fill_null(self.table["width"], 0).to_numpy().astype(np.int16)


def _checked(table: pa.Table) -> pa.Table:
    ids = table["image_id"].to_pylist()
    for before, after in itertools.pairwise(ids):
        if before >= after:
            what = "twice" if before == after else f"after {before!r}"
            raise GenreidError(f"manifest: image_id {after!r} stands {what}: ids must be unique and sorted")
    return table
