"""What people say of pairs of images, in a file that a spreadsheet opens: questions, and the answers to them.

CSV in UTF-8 with a header; of its columns `answer`, `one` and `other` are read: `same`, `different` or
nothing, and the paths of two images.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from genreid.clustering.agglomeration import Links
from genreid.errors import GenreidError

Answer = Literal["same", "different"]
ANSWERS: tuple[Answer, ...] = ("same", "different")
COLUMNS = ("answer", "one", "other", "asked", "cosine", "likeness", "false_matches")
_READ = COLUMNS[:3]


@dataclass(frozen=True)
class Correction:
    """Two images, by their paths, and what is said of them. line: where in the file."""

    answer: Answer
    one: str
    other: str
    line: int


def read_corrections(path: Path) -> list[Correction]:
    """The answered rows of a file. Raises GenreidError for one that is no such table, or says another
    thing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise GenreidError(
            f"{path}: no such file; name a table with the columns {', '.join(_READ)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise GenreidError(f"{path}: no readable text in UTF-8 ({type(error).__name__})") from None
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise GenreidError(f"{path}: no readable CSV ({error})") from None
    if not rows and not set(_READ) <= set(next(csv.reader(io.StringIO(text)), [])):
        raise GenreidError(f"{path}: expected the columns {', '.join(_READ)}")
    return [found for line, row in enumerate(rows, start=2) if (found := _correction(path, line, row))]


def _correction(path: Path, line: int, row: Mapping[str, str | None]) -> Correction | None:
    if not set(_READ) <= set(row):
        raise GenreidError(f"{path}: expected the columns {', '.join(_READ)}")
    answer, one, other = ((row[name] or "").strip() for name in _READ)
    if not answer:
        return None
    if answer not in ANSWERS:
        raise GenreidError(
            f"{path}:{line}: the answer is '{answer}': expected {' or '.join(ANSWERS)}, or nothing"
        )
    if not one or not other or one == other:
        raise GenreidError(f"{path}:{line}: expected the paths of two different images in `one` and `other`")
    return Correction(answer, one, other, line)  # type: ignore[arg-type]


def links_of(
    corrections: Iterable[Correction], file: Path | None, paths: list[str], name: np.ndarray
) -> Links:
    """The pairs by their positions in `paths`. name: (N,), see `Links`.

    Raises GenreidError for a path that is not among them.
    """
    place = {path: position for position, path in enumerate(paths)}
    pairs: dict[str, list[tuple[int, int]]] = {answer: [] for answer in ANSWERS}
    for one in corrections:
        for path in (one.one, one.other):
            if path not in place:
                raise GenreidError(
                    f"{file}:{one.line}: no readable image is called '{path}'; take the line out"
                )
        pairs[one.answer].append((place[one.one], place[one.other]))
    same, different = (np.array(pairs[answer], np.int64).reshape(-1, 2) for answer in ANSWERS)
    return Links(same, different, name)


def table_text(rows: Iterable[Mapping[str, object]]) -> str:
    """A file of questions and answers, rows by COLUMNS; one that lacks a column has nothing there."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def is_unanswered(path: Path) -> bool:
    """Whether a file is one that `table_text` wrote, and nobody has answered in it: it may be replaced."""
    try:
        with path.open(encoding="utf-8") as file:
            if file.readline().rstrip("\n") != ",".join(COLUMNS):
                return False
        return not read_corrections(path)
    except (OSError, UnicodeDecodeError, GenreidError):
        return False
