"""What a file would fill the memory with, from what it says of itself, before room is made for it.

A few hundred bytes of Parquet may stand for terabytes: by compression, by runs of one number, and by a
dictionary whose one long word every row names. A torch archive may be compressed, which torch never does.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
"""Bytes of a value, by Parquet's name of its type; the others are words, whose lengths differ."""
_OFFSET_BYTES = 4


class TooLarge(ValueError):
    """A file's content does not fit into the memory, or is packed as no program of ours packs; says how."""


def require_room_for_table(path: Path) -> None:
    """Raise TooLarge where a Parquet file would unpack to more than the memory that is free.

    Raises what pyarrow raises for a file that is none.
    """
    import psutil
    import pyarrow.parquet as pq

    free = psutil.virtual_memory().available
    with pq.ParquetFile(path) as file:
        columns = list(_columns(file.metadata))
    known = sum(_least_bytes(column) for column in columns)
    repeated = [column for column in columns if _repeats(column)]
    at_most = known + sum(column.num_values * column.total_uncompressed_size for column in repeated)
    if known <= free < at_most:  # rare: it takes reading them to know
        known += _measured_bytes(path, sorted({column.path_in_schema for column in repeated}), free - known)
    if known > free:
        raise TooLarge(
            f"it would unpack to {known / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory are free"
        )


def _columns(metadata: Any) -> Iterator[Any]:
    for group in range(metadata.num_row_groups):
        yield from (metadata.row_group(group).column(place) for place in range(metadata.num_columns))


def _least_bytes(column: Any) -> int:
    """Of a column of a row group: exactly, but for words that a dictionary repeats."""
    if width := _WIDTHS.get(column.physical_type):
        return int(column.num_values * width)
    return int(column.num_values * _OFFSET_BYTES + column.total_uncompressed_size)


def _repeats(column: Any) -> bool:
    is_word = column.physical_type not in _WIDTHS
    return is_word and any(name.endswith("DICTIONARY") for name in column.encodings)


def _measured_bytes(path: Path, names: list[str], enough: int) -> int:
    """The bytes of these columns' words, read with their dictionaries as they are; up to `enough`."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    total = 0
    with pq.ParquetFile(path, read_dictionary=names) as file:
        for batch in file.iter_batches(columns=names):
            for column in batch.columns:
                if not isinstance(column, pa.DictionaryArray):  # words in lists, which no table of ours has
                    raise TooLarge("it has words in lists, whose lengths cannot be known")
                lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
                total += pc.sum(lengths.cast(pa.int64())).as_py() or 0
                if total > enough:
                    return total
    return total


def require_unpacked(path: Path) -> None:
    """Raise TooLarge where the parts of a torch archive are larger than the file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > path.stat().st_size:
            raise TooLarge(f"it would unpack to {unpacked / 1e9:,.1f} GB, and torch packs nothing")
