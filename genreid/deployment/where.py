"""Which images of a gallery: by path, camera and time, as a mask over a table and as SQL for a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Where:
    """Images for which all of it holds; what is empty or None holds for every one.

    paths: patterns, any of which the whole path matches; `*` stands for any text, `/` in it too, `?` for one
    character. cameras: names, one of which is the image's. after: its time, or later. before: earlier than
    it. An image without a camera or a time is not of any.
    """

    paths: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.paths or self.cameras) or self.after is not None or self.before is not None

    def mask(self, table: pa.Table) -> pa.ChunkedArray | pa.Array:
        """(N,) bool, for a table with the columns path, camera and time."""
        held = [pa.array([True] * table.num_rows)]
        if self.paths:
            matches = [pc.match_like(table["path"], _like(path)) for path in self.paths]
            held.append(reduce(pc.or_, matches))
        if self.cameras:
            held.append(pc.is_in(table["camera"], pa.array(self.cameras, pa.string())))
        for bound, compare in ((self.after, pc.greater_equal), (self.before, pc.less)):
            if bound is not None:
                held.append(compare(table["time"], pa.scalar(bound, pa.timestamp("us"))))
        return pc.fill_null(reduce(pc.and_, held), False)

    def sql(self) -> str | None:
        """A condition on the same columns; None where nothing is asked for."""
        held = []
        if self.paths:
            held.append("(" + " OR ".join(f"path LIKE {_text(_like(path))}" for path in self.paths) + ")")
        if self.cameras:
            held.append(f"camera IN ({', '.join(map(_text, self.cameras))})")
        for bound, compare in ((self.after, ">="), (self.before, "<")):
            if bound is not None:
                held.append(f"time {compare} timestamp '{bound.isoformat(sep=' ', timespec='microseconds')}'")
        return " AND ".join(held) or None

    def __str__(self) -> str:
        """For people: `camera c1 or c2, after 2024-01-31 00:00:00`."""
        told = [f"path {' or '.join(self.paths)}"] if self.paths else []
        told += [f"camera {' or '.join(self.cameras)}"] if self.cameras else []
        told += [f"after {self.after}"] if self.after is not None else []
        return ", ".join(told + ([f"before {self.before}"] if self.before is not None else []))


def _like(pattern: str) -> str:
    """The pattern of SQL's LIKE."""
    for mark in ("\\", "%", "_"):
        pattern = pattern.replace(mark, f"\\{mark}")
    return pattern.replace("*", "%").replace("?", "_")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
