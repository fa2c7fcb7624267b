"""Which places a run may write to: what was not made by it is never replaced.

Stages put whole files and folders in place of what is there, and DVC removes an out before its stage runs.
So one function, `refusals`, decides for every command whether an output is where it may be, and whether what
is there already was made by this program. Files tell that themselves (the names of our formats are in them),
a folder by the list of files that `atomic_directory` puts into it, and what earlier versions made by its hash
in dvc.lock: all three are still true after `dvc checkout`, `dvc pull` and `dvc exp apply`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import FOLDER_MARK, listed_files
from pipeline.errors import PipelineError
from pipeline.locked import Locked
from pipeline.places import Place, Spot, relation

_ENDS = 1 << 20
_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file managers leave in every folder that somebody looks into."""

IsOurs = Callable[[Path], bool]
"""Whether a file that has content was made by this program, by what is in it."""


@dataclass(frozen=True)
class Output:
    """A file or a folder that a command replaces.

    name: how messages begin, `params.yaml:9: paths.mesh`. text: the path as the user wrote it. is_ours: of a
    file; of a folder, for a file in it that its list does not name. maker: who makes it, in messages.
    """

    name: str
    text: str
    path: Path
    is_folder: bool
    is_ours: IsOurs
    maker: str = "a run"

    @property
    def says(self) -> str:
        return f"{self.name}: {self.text}" if self.name else self.text


def refusals(
    outputs: Sequence[Output],
    places: Sequence[Place],
    others: Sequence[Output] = (),
    root: Path | None = None,
) -> Iterator[str]:
    """A line for every output that a run must not replace; nothing is touched.

    An output may not be, contain or lie inside one of `places` (as each of them says), nor another output of
    `outputs` or `others`; nor may it hold files that this program did not make. root: of the project whose
    dvc.lock knows what earlier versions made.
    """
    locked = Locked(root)
    spots = [(place.what, Spot.of(place.path), place.is_all) for place in places]
    made = [(f"the output {other.name or other.text}", Spot.of(other.path, True), other) for other in others]
    for output in outputs:
        spot = Spot.of(output.path, is_output=True)
        where = next(_misplaced(spot, spots), "")
        if not where:  # else all that lies in it would be told too
            where = next(_overlapping(output, spot, made), "")
            made.append((f"the output {output.name or output.text}", spot, output))
        if where:
            yield f"{output.says} {where}: an output needs a place of its own; name another place"
        elif what := _foreign(output, locked):
            yield f"{output.says} {what}"


def require(
    outputs: Sequence[Output],
    places: Sequence[Place],
    others: Sequence[Output] = (),
    root: Path | None = None,
) -> None:
    """Raises PipelineError with the first of the `refusals`."""
    if refusal := next(refusals(outputs, places, others, root), None):
        raise PipelineError(refusal)


def holds(*marks: bytes) -> IsOurs:
    """Whether a binary file holds one of these names of our formats at its beginning or at its end.

    Containers keep what they say of themselves there: a torch archive and a picture at the beginning, a
    Parquet and an ONNX file at the end. A text that mentions a format is none of them.
    """

    def is_ours(path: Path) -> bool:
        with path.open("rb") as file:
            head = file.read(_ENDS)
            file.seek(max(0, file.seek(0, os.SEEK_END) - _ENDS))
            ends = head + file.read()
        return b"\0" in head and any(mark in ends for mark in marks)

    return is_ours


def _misplaced(spot: Spot, spots: Sequence[tuple[str, Spot, bool]]) -> Iterator[str]:
    for what, other, is_all in spots:
        found = relation(spot, other)
        if found and (is_all or found != "lies inside"):
            yield f"{found} {what}"


def _overlapping(output: Output, spot: Spot, made: Sequence[tuple[str, Spot, Output]]) -> Iterator[str]:
    for what, other_spot, other in made:
        if other is not output and (found := relation(spot, other_spot)):
            yield f"{found} {what}"


def _foreign(output: Output, locked: Locked) -> str:
    """What is there that this program did not make, and what to do; empty where there is nothing."""
    path = output.path
    remedy = "move it away, or name another place"
    if not os.path.lexists(path):
        above = next(folder for folder in path.parents if os.path.lexists(folder))
        return "" if above.is_dir() else f"is below {above.name}, which is no folder; name another place"
    if not path.exists():
        return "" if locked.is_cached(path) else f"is a link to what is not there; {remedy}"
    if path.is_dir() and output.is_folder:
        foreign = sorted(_not_ours(output))
        if not foreign or locked.has_made(path, [path / name for name in foreign]):
            return ""
        others = f" and {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
        return f"holds what {output.maker} did not make ({foreign[0]}{others}); {remedy}"
    if path.is_dir() or output.is_folder:
        is_ours, kinds = False, ("a folder", "file") if path.is_dir() else ("no folder", "folder")
        what = f"is {kinds[0]}, and {output.maker} writes a {kinds[1]} there"
    else:
        is_ours = path.is_file() and (path.stat().st_size == 0 or output.is_ours(path))
        what = f"is there, and {output.maker} did not make it"
    return "" if is_ours or (path.is_file() and locked.has_made(path, [path])) else f"{what}; {remedy}"


def _not_ours(output: Output) -> Iterator[str]:
    """Relative names of what is in an output's folder and neither listed by its mark nor ours by content."""
    listed = listed_files(output.path)
    for folder, folders, files in os.walk(output.path):
        above = Path(folder)
        for name in (*files, *(name for name in folders if (above / name).is_symlink())):
            path = above / name
            inside = path.relative_to(output.path).as_posix()
            if inside in listed or inside == FOLDER_MARK or name in _JUNK:
                continue
            if not (path.is_file() and output.is_ours(path)):
                yield inside
