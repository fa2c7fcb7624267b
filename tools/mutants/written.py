"""Faults written by hand (swaps/*.yaml), and the list of those that change nothing (equivalent.yaml)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

from tools.mutants.generated import described
from tools.mutants.mutant import ROOT, Mutant, identity

HERE = Path(__file__).parent


class OutOfDate(Exception):
    """An entry speaks of code that is no longer there."""


def swaps() -> list[Mutant]:
    """All swaps, by file of the list; each is file, why, old (a text that the file has once) and new."""
    lists = sorted((HERE / "swaps").glob("*.yaml"))
    return [_swap(entry, where) for path in lists for where, entry in _entries(path)]


def equivalents() -> dict[tuple[str, str, str], str]:
    """Why a fault changes nothing, by its file, its lines before and its lines after."""
    found = {}
    for where, entry in _entries(HERE / "equivalent.yaml"):
        file, old, new = entry["file"], entry["old"], entry["new"]
        lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
        if not all(line.strip() in lines for line in old.splitlines()):
            raise OutOfDate(f"{where}: {file} has no lines {old!r}: write them anew, or drop the entry")
        found[identity(file, old, new)] = entry["why"]
    return found


def _swap(entry: dict[str, str], where: str) -> Mutant:
    file, old, new = entry["file"], entry["old"].rstrip("\n"), entry["new"].rstrip("\n")
    path = ROOT / file
    source = path.read_text() if path.is_file() else ""
    if source.count(old) != 1:
        raise OutOfDate(f"{where}: {file} has {source.count(old)} times {old!r}, expected 1: write it anew")
    text = source.replace(old, new)
    compile(text, file, "exec")  # a fault that is no Python would be killed by anything
    return described(file, source, text, entry["why"], by_hand=True)


def _entries(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    entries = YAML(typ="rt").load(path.read_text()) or []
    for entry in entries:
        where = f"{path.relative_to(ROOT)}:{entry.lc.line + 1}"
        if set(entry) != {"file", "why", "old", "new"}:
            raise OutOfDate(f"{where}: expected file, why, old and new, got {', '.join(entry)}")
        yield where, {key: str(value) for key, value in entry.items()}
