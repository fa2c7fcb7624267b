"""Faults written by hand (swaps/*.txt), and the list of those that change nothing (equivalent.txt).

Both are lists of entries with a blank line between two: what is wrong (or why nothing is), the file, and the
change as in a patch: lines that go (-), that come (+) and that stay, where only they tell the place ( ).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.generated import described
from tools.mutants.mutant import ROOT, Mutant, identity

HERE = Path(__file__).parent


class OutOfDate(Exception):
    """An entry speaks of code that is no longer there."""


@dataclass(frozen=True)
class _Entry:
    """where: file and line of the list. old, new: lines before and after, those that stay in both."""

    where: str
    why: str
    file: str
    change: list[str]

    def lines(self, *signs: str) -> list[str]:
        return [line[1:] for line in self.change if line[0] in signs]


def swaps() -> list[Mutant]:
    """All swaps. Raises OutOfDate for one whose old lines its file has not, or has more than once."""
    lists = sorted((HERE / "swaps").glob("*.txt"))
    return [_swap(entry) for path in lists for entry in _entries(path)]


def equivalents() -> dict[tuple[str, str, str], str]:
    """Why a fault changes nothing, by what `Mutant.identity` calls it."""
    found = {}
    for entry in _entries(HERE / "equivalent.txt"):
        old, new = entry.lines("-"), entry.lines("+")
        if not _places(entry.file, old):
            raise OutOfDate(
                f"{entry.where}: {entry.file} has no lines {old}: write them anew, or drop the entry"
            )
        found[identity(entry.file, "\n".join(old), "\n".join(new))] = entry.why
    return found


def _swap(entry: _Entry) -> Mutant:
    old, new = entry.lines("-", " "), entry.lines("+", " ")
    places = _places(entry.file, old)
    if len(places) != 1:
        raise OutOfDate(
            f"{entry.where}: {entry.file} has {len(places)} times {old}, expected 1: write it anew"
        )
    source = (ROOT / entry.file).read_text()
    lines = source.splitlines()
    lines[places[0] : places[0] + len(old)] = new
    text = "\n".join(lines) + "\n"
    compile(text, entry.where, "exec")  # a fault that is no Python would be killed by anything
    return described(entry.file, source, text, entry.why, by_hand=True)


def _places(file: str, old: list[str]) -> list[int]:
    """Where the file has these lines, counted from 0."""
    lines = (ROOT / file).read_text().splitlines() if (ROOT / file).is_file() else []
    return [place for place in range(len(lines)) if lines[place : place + len(old)] == old]


def _entries(path: Path) -> Iterator[_Entry]:
    """The entries of a list; lines that begin with # are for its reader."""
    name = path.relative_to(ROOT)
    block: list[str] = []
    for number, line in enumerate([*path.read_text().splitlines(), ""], start=1):
        if line.startswith("#"):
            continue
        if line:
            block.append(line)
        elif block:
            words = [text for text in block if text[0] not in "-+ "]
            where = f"{name}:{number - len(block)}"
            if len(words) < 2 or len(words) == len(block):
                raise OutOfDate(f"{where}: expected what is wrong, a file, and lines with - and +")
            yield _Entry(where, " ".join(words[:-1]), words[-1], block[len(words) :])
            block = []
