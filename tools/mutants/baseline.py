"""What each test file calls and how long it takes, before anything is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.copies import Copy
from tools.mutants.mutant import Mutant, digest

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


class Baseline:
    """The test files of a copy, and the record of them that is kept in a file.

    digests: of each file of the project as it was copied; the working tree may have changed since.
    """

    def __init__(self, digests: Mapping[str, str], kept: Path) -> None:
        self._digests, self._kept = digests, kept
        self.tests: list[TestFile] = []

    def read(self) -> list[str]:
        """Take the test files that are as they were recorded, with all that they call; names the others."""
        for line in self._kept.read_text().splitlines() if self._kept.is_file() else ():
            entry = json.loads(line)
            called = frozenset((file, first) for file, first in entry["called"])
            if entry["version"] == self._version_of(entry["name"], called):
                self.tests.append(TestFile(entry["name"], entry["seconds"], called))
        known = {test.name for test in self.tests}
        return [file for file in self._digests if _is_test(Path(file)) and file not in known]

    def record(self, copy: Copy, name: str) -> str:
        """Run a test file as it is, and keep what it calls. Raises TestsFail where it fails."""
        begin = time.monotonic()
        outcome, called = copy.record(name, _LONGEST_S)
        test = TestFile(name, round(time.monotonic() - begin, 1), frozenset(called))
        if not outcome.passed:
            raise TestsFail(f"{name} fails before anything is changed:\n{outcome.output[-3000:]}")
        version = self._version_of(name, called)
        with self._kept.open("a") as stream:
            stream.write(json.dumps({**vars(test), "called": sorted(called), "version": version}) + "\n")
        self.tests.append(test)
        return name

    def version(self, files: Iterable[str]) -> str:
        """Digest of some files of the project."""
        return digest(*(f"{file} {self._digests.get(file)}" for file in sorted(set(files))))

    def _version_of(self, name: str, called: Iterable[tuple[str, int]]) -> str:
        return self.version([name, *(file for file, _ in called)])


def _is_test(file: Path) -> bool:
    return file.parts[0] == "tests" and file.name.startswith("test_") and file.suffix == ".py"


def noticing(mutant: Mutant, tests: Iterable[TestFile]) -> tuple[list[TestFile], list[TestFile]]:
    """The test files that call what was changed, the quickest first: those of its room, and the others."""
    place = mutant.file, mutant.function
    calling = sorted((test for test in tests if place in test.called), key=lambda test: test.seconds)
    own = [test for test in calling if test.is_in_room(mutant.room)]
    return own, [test for test in calling if test not in own]
