"""What the trials of studies came to: a row each in docs/study/runs.csv, and points in docs/study/curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts import write_bytes

FOLDER = "docs/study"
RUNS = f"{FOLDER}/runs.csv"
CURVES = f"{FOLDER}/curves"
"""What plots/evaluate has of viewpoints: a file a curve, a row a point."""

KEYS = ("study", "arm", "warm_up", "seed", "split")
"""The columns that tell a trial."""

Row = dict[str, str]
Points = Sequence[Mapping[str, Any]]


def read_rows(path: Path) -> list[Row]:
    """The rows of finished trials, in the file's order; none where there is no file."""
    if not path.exists():
        return []
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a finished trial; rows stay sorted by their keys; a new column is empty in the others."""
    _write(path, [*read_rows(path), _as_text(row)])


def add_points(root: Path, curve: str, key: Mapping[str, Any], points: Points) -> None:
    """Write a trial's points of a curve, in place of those that it may have from an earlier start.

    Columns are named CURVE.NAME: an encoder has the name `warm_up` too.
    """
    path = root / CURVES / f"{curve}.csv"
    new = [
        _as_text({**key, **{f"{curve}.{name}": value for name, value in point.items()}}) for point in points
    ]
    own = {_key(row) for row in new}
    _write(path, [*(row for row in read_rows(path) if _key(row) not in own), *new])


def finished(rows: Sequence[Row]) -> set[tuple[str, ...]]:
    """The keys of the trials that have a row."""
    return {_key(row) for row in rows}


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in KEYS)


def _write(path: Path, rows: list[Row]) -> None:
    columns = list(KEYS) + [name for name in dict.fromkeys(_columns(rows)) if name not in KEYS]
    rows.sort(key=lambda row: (row["study"], row["split"], row["arm"], int(row["warm_up"]), int(row["seed"])))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def _columns(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield from row


def _as_text(row: Mapping[str, Any]) -> Row:
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
