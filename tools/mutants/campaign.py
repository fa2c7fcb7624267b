"""Each fault against the tests that call it: those of its room, then the rest of the fast suite."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tools.mutants.baseline import Baseline, noticing
from tools.mutants.copies import Copy
from tools.mutants.mutant import Mutant

T = TypeVar("T")
R = TypeVar("R")

OUT_OF_TIME = "ran out of time"
_COMPILING_S = 120.0


@dataclass(frozen=True)
class Verdict:
    """What became of a fault.

    killed_in: `room`, `suite`, or empty for a survivor. by: the first test that failed, or how else the tests
    ended. tests: digest of the test files that the verdict rests on.
    """

    key: str
    killed_in: str
    by: str
    seconds: float
    tests: str


class Campaign:
    """Runs tests in one copy of the project for each worker, and keeps what it finds in a folder."""

    def __init__(self, copies: list[Copy], kept: Path) -> None:
        self._copies = copies
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)
        self._baseline = Baseline(copies[0].digests, kept / "tests.jsonl")
        self._kept = kept / "verdicts.jsonl"

    def record_tests(self) -> tuple[int, Iterator[str]]:
        """How many test files are still to be run without a fault, and the running of them."""
        missing = self._baseline.read()
        return len(missing), self._in_copies(self._baseline.record, missing)

    def known(self, mutants: list[Mutant]) -> dict[str, Verdict]:
        """Verdicts of an earlier run that hold: the tests that each rests on are the same."""
        found = {}
        by_key = {mutant.key: mutant for mutant in mutants}
        for line in self._kept.read_text().splitlines() if self._kept.is_file() else ():
            verdict = Verdict(**json.loads(line))
            mutant = by_key.get(verdict.key)
            if mutant is not None and verdict.tests == self._version(mutant, verdict.by):
                found[verdict.key] = verdict
        return found

    def judge(self, mutants: list[Mutant]) -> Iterator[tuple[Mutant, Verdict]]:
        """The verdict on each, as they come."""

        def one(copy: Copy, mutant: Mutant) -> tuple[Mutant, Verdict]:
            copy.compile()
            verdict = self._verdict(copy, mutant)
            with self._kept.open("a") as stream:
                stream.write(json.dumps(asdict(verdict)) + "\n")
            return mutant, verdict

        yield from self._in_copies(one, mutants)

    def _verdict(self, copy: Copy, mutant: Mutant) -> Verdict:
        begin = time.monotonic()
        killed_in = by = ""
        own, others = noticing(mutant, self._baseline.tests)
        with copy.fault(mutant) as environment:
            for where, tests in (("room", own), ("suite", others)):
                if not tests:
                    continue
                limit = _COMPILING_S + 4 * sum(test.seconds for test in tests)
                outcome = copy.pytest([test.name for test in tests], limit, environment)
                if not outcome.passed:
                    killed_in, by = where, outcome.failed or _ending(outcome.code)
                    break
        seconds = round(time.monotonic() - begin, 1)
        return Verdict(mutant.key, killed_in, by, seconds, self._version(mutant, by))

    def _version(self, mutant: Mutant, by: str) -> str:
        own, others = noticing(mutant, self._baseline.tests)
        killer = by.partition("::")[0]
        names = [killer] if killer.endswith(".py") else [test.name for test in (*own, *others)]
        return self._baseline.version(names)

    def _in_copies(self, work: Callable[[Copy, T], R], items: list[T]) -> Iterator[R]:
        def one(item: T) -> R:
            copy = self._free.get()
            try:
                return work(copy, item)
            finally:
                self._free.put(copy)

        with ThreadPoolExecutor(len(self._copies)) as pool:
            futures = [pool.submit(one, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for copy in self._copies:
                    copy.stop()
                raise


def _ending(code: int | None) -> str:
    return OUT_OF_TIME if code is None else f"pytest ended with {code}"
