"""What the trials of studies came to: a row each in docs/study/runs.csv, and points in docs/study/curves.

Rows that were made before views changed are of a period, and in files of its own: runs_PERIOD.csv, and the
points in PERIOD/curves. No trial of today counts them as done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import write_bytes

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "docs/study"
RUNS = f"{FOLDER}/runs.csv"
CURVES = f"{FOLDER}/curves"
"""What plots/evaluate has of viewpoints: a file a curve, a row a point."""


def runs_of(period: str) -> str:
    """The file of rows of a period; of today's for an empty one."""
    return f"{FOLDER}/runs_{period}.csv" if period else RUNS


def curves_of(period: str) -> str:
    """The folder of points of a period; of today's for an empty one."""
    return f"{FOLDER}/{period}/curves" if period else CURVES


KEYS = ("study", "arm", "warm_up", "seed", "split")
"""The columns that tell a trial."""


def read_rows(path: Path) -> pd.DataFrame:
    """All columns as text, in the file's order; no row where there is no file."""
    import pandas as pd

    if not path.exists():
        return pd.DataFrame(columns=list(KEYS))
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def write_rows(path: Path, new: Sequence[Mapping[str, Any]]) -> None:
    """Write a trial's rows in place of those that it has; sorted; a new column is empty in the others."""
    import pandas as pd

    added = pd.DataFrame([{name: _text(value) for name, value in row.items()} for row in new])
    old = read_rows(path)
    rows = pd.concat([old[~_keys(old).isin(_keys(added))], added]).fillna("")
    order = ["study", "split", "arm", "warm_up", "seed"]
    rows = rows.sort_values(order, key=_sortable, kind="stable")
    columns = [*KEYS, *rows.columns.drop(list(KEYS))]
    write_bytes(path, rows.to_csv(columns=columns, index=False, lineterminator="\n").encode())


def finished(root: Path) -> set[tuple[str, ...]]:
    """The keys of the trials that have a row."""
    return set(_keys(read_rows(root / RUNS)))


def figures(rows: pd.DataFrame, column: str) -> pd.Series:
    """The values of a column by arm, warm_up and seed, of the rows that have one."""
    import pandas as pd

    if column not in rows:
        return pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[]] * 3, names=list(KEYS[1:4])))
    rows = rows[rows[column] != ""].astype({column: float, "warm_up": int, "seed": int})
    return rows.set_index(list(KEYS[1:4]))[column]


def _keys(rows: pd.DataFrame) -> pd.MultiIndex:
    import pandas as pd

    return pd.MultiIndex.from_frame(rows[list(KEYS)])


def _sortable(column: pd.Series) -> pd.Series:
    return column.astype(int) if column.name in ("warm_up", "seed") else column


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
