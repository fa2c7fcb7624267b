"""The table that `genreid group` writes: that of the embeddings, with each image's group.

N readable images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreid.deployment.gallery import Gallery
from genreid.errors import GenreidError

MARK = b"genreid.groups"
_VERSION = b"3"
_CUT = b"genreid.groups.cut"
_PREFIX = b"genreid.grouped:"
"""Before the names of the metadata of the embeddings' table, so that this is no table of embeddings itself,
which another command might replace."""
_OWN = (
    pa.field("group", pa.int64()),
    pa.field("images", pa.int64()),
    pa.field("person", pa.string()),
    pa.field("confidence", pa.float32()),
)


@dataclass(frozen=True)
class Groups:
    """group: (N,) int64. person: N names of known persons, or None. confidence: (N,) 0 to 1.

    cut: the cosine below which no pair was evidence.
    """

    group: np.ndarray
    person: Sequence[str | None]
    confidence: np.ndarray
    cut: float


@dataclass(frozen=True)
class GroupedGallery:
    """What a table of groups holds: the images that are readable, and their groups."""

    gallery: Gallery
    groups: Groups


def grouped_table(embedded: pa.Table, groups: Groups) -> pa.Table:
    """embedded: all images, of which the N readable ones have groups; an unreadable one is in none."""
    there = pc.is_valid(embedded["embedding"]).to_numpy(zero_copy_only=False)
    images = np.bincount(groups.group)[groups.group] if len(groups.group) else groups.group
    values = (groups.group, images, np.array(groups.person, object), groups.confidence)
    table = embedded
    for field, found in zip(_OWN, values, strict=True):
        column = np.full(len(there), None, object)
        column[there] = found
        table = table.append_column(field, pa.array(column.tolist(), field.type))
    kept = {_PREFIX + name: value for name, value in (embedded.schema.metadata or {}).items()}
    return table.replace_schema_metadata({**kept, MARK: _VERSION, _CUT: repr(groups.cut).encode()})


def embedded_part(table: pa.Table, place: str) -> pa.Table:
    """The table of the embeddings that a table of groups was made of. Raises GenreidError."""
    metadata = table.schema.metadata or {}
    if metadata.get(MARK) != _VERSION:
        raise GenreidError(f"{place} is no table that this version of `genreid group` wrote; group anew")
    columns = [name for name in table.column_names if name not in {field.name for field in _OWN}]
    own = {name.removeprefix(_PREFIX): value for name, value in metadata.items() if name not in (MARK, _CUT)}
    return table.select(columns).replace_schema_metadata(own)


def read_groups(table: pa.Table, place: str) -> GroupedGallery:
    """The readable images of a table that `grouped_table` made. Raises GenreidError."""
    gallery = Gallery.from_table(embedded_part(table, place), place)
    kept = table.filter(pc.is_valid(table["embedding"]))
    cut = float(table.schema.metadata[_CUT])
    groups = Groups(kept["group"].to_numpy(), kept["person"].to_pylist(), kept["confidence"].to_numpy(), cut)
    return GroupedGallery(gallery, groups)


def with_joined(there: pa.Table, new: pa.Table, old: Groups, joined: Groups) -> pa.Table:
    """A table of groups, and below it new images in groups beside those.

    there: that `grouped_table` made; new: of embeddings, as `there` was made of. old, joined: the groups of
    the readable images of both.
    """
    part = embedded_part(there, "the groups")
    images = pa.concat_tables([part, new.replace_schema_metadata(None)], promote_options="default")
    images = images.replace_schema_metadata(part.schema.metadata)
    all_groups = Groups(
        np.concatenate([old.group, joined.group]),
        [*old.person, *joined.person],
        np.concatenate([old.confidence, joined.confidence]),
        joined.cut,
    )
    return grouped_table(images, all_groups)
