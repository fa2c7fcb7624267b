"""What each test file calls and how long it takes, before anything is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.copies import Copy, project_files
from tools.mutants.mutant import ROOT, Mutant, digest

_LONGEST_S = 1200.0


class TestsFail(Exception):
    """Tests fail without a fault, or take for ever."""

    __test__ = False


@dataclass(frozen=True)
class TestFile:
    """A file of tests, with the functions that its fast tests call: (file, first line)."""

    __test__ = False

    name: str
    seconds: float
    called: frozenset[tuple[str, int]]

    def is_in_room(self, room: str) -> bool:
        folder = "tests/stages/" if room == "stages" else f"tests/genreid/{room}/"
        return self.name.startswith(folder)


def test_files() -> list[str]:
    return [str(file) for file in project_files() if _is_test(file)]


def version(files: Iterable[str]) -> str:
    """Digest of some files of the project."""
    paths = [ROOT / file for file in sorted(set(files))]
    return digest(*(f"{path.name} {path.read_text() if path.is_file() else None}" for path in paths))


def _is_test(file: Path) -> bool:
    return file.parts[0] == "tests" and file.name.startswith("test_") and file.suffix == ".py"


def recorded(kept: Path) -> dict[str, TestFile]:
    """The test files that were recorded and are as they were then, with all code that they call."""
    found = {}
    for line in kept.read_text().splitlines() if kept.is_file() else ():
        entry = json.loads(line)
        called = frozenset((file, first) for file, first in entry["called"])
        if entry["version"] == _version(entry["name"], called):
            found[entry["name"]] = TestFile(entry["name"], entry["seconds"], called)
    return found


def record(copy: Copy, name: str, kept: Path) -> TestFile:
    """Run a test file as it is. Raises TestsFail where it fails."""
    begin = time.monotonic()
    outcome, called = copy.record(name, _LONGEST_S)
    seconds = round(time.monotonic() - begin, 1)
    if not outcome.passed:
        raise TestsFail(f"{name} fails before anything is changed:\n{outcome.output[-3000:]}")
    entry = {"name": name, "version": _version(name, called), "seconds": seconds, "called": sorted(called)}
    with kept.open("a") as stream:
        stream.write(json.dumps(entry) + "\n")
    return TestFile(name, seconds, frozenset(called))


def _version(name: str, called: Iterable[tuple[str, int]]) -> str:
    return version([name, *(file for file, _ in called)])


def noticing(mutant: Mutant, tests: Iterable[TestFile]) -> tuple[list[TestFile], list[TestFile]]:
    """The test files that call what was changed, the quickest first: those of its room, and the others."""
    place = mutant.file, mutant.function
    calling = sorted((test for test in tests if place in test.called), key=lambda test: test.seconds)
    own = [test for test in calling if test.is_in_room(mutant.room)]
    return own, [test for test in calling if test not in own]
