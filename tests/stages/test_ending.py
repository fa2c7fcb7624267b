"""Ctrl-C and `kill` at moments of all kinds: one line, the exit code, the state kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.stages.small_project import ROOT, SmallProject

TOLD = {
    signal.SIGINT: (130, "interrupted; a stage that is run again goes on from the state that is kept\n"),
    signal.SIGTERM: (143, "ended; a stage that is run again goes on from the state that is kept\n"),
}
SIGNALS = pytest.mark.parametrize("number", TOLD, ids=lambda number: number.name)
PROGRAM = "from stages.entry import main; main()"


@dataclass(frozen=True)
class Started:
    """A command under way. Its errors go to a file: of a pipe, whoever outlives the command keeps an end."""

    process: subprocess.Popen[str]
    errors: IO[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> tuple[int, str]:
        """Exit code and errors, when it has ended."""
        code = self.process.wait(timeout=120)
        self.errors.seek(0)
        return code, self.errors.read()


def start(folder: Path, program: str, *arguments: str) -> Started:
    """A command in a group of its own, as a terminal would start it."""
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (read when the command has ended)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GENREID_SAVE_SECONDS": "0"},
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    return Started(process, errors)


def ends_as_told(started: Started, number: signal.Signals, *, group: bool = True) -> None:
    (os.killpg if group else os.kill)(started.pid, number)
    assert started.end() == TOLD[number]


def wait_for(there: Callable[[], bool], started: Started) -> None:
    end = time.monotonic() + 240
    while not there():
        assert started.process.poll() is None, started.end()
        assert time.monotonic() < end
        time.sleep(0.01)


@SIGNALS
@pytest.mark.parametrize("module", ["stages.cli", "typer", "rich.console", "torch"])
def test_in_the_middle_of_an_import(small: SmallProject, number: signal.Signals, module: str) -> None:
    """The signal comes just before the module's code runs, whoever imports it."""
    program = (
        "import importlib.abc, signal, sys\n"
        "class Interrupting(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == {module!r}:\n"
        f"            signal.raise_signal({int(number)})\n"
        "sys.meta_path.insert(0, Interrupting())\n" + PROGRAM
    )
    started = start(small.folder, program, "pretrain-encoder" if module != "torch" else "doctor")
    assert started.end() == TOLD[number]


@pytest.mark.slow
@SIGNALS
@pytest.mark.parametrize("group", [True, False], ids=["group", "parent"])
@pytest.mark.parametrize("moment", ["born", "working"])
def test_while_workers_begin_and_work(
    small: SmallProject, number: signal.Signals, group: bool, moment: str
) -> None:
    small.set(prepare_data__synthetic__train_identities=400)
    started = start(small.folder, PROGRAM, "prepare-data", "--no-progress", "--workers", "2")
    chunks = small.folder / ".genreid" / "state" / "prepare-data" / "chunks"
    first = chunks / "000000.parquet"
    wait_for(first.exists if moment == "working" else lambda: bool(workers_of(started.pid)), started)
    workers = workers_of(started.pid)
    ends_as_told(started, number, group=group)
    wait_for_end(workers)
    if moment == "working":
        assert first.exists()
    # What a thread begins between the signal and the end stays; the next writer of that file removes it.
    assert len(list(small.folder.rglob("*.tmp"))) <= 2


@pytest.mark.slow
@SIGNALS
def test_in_training_and_on_from_there(small: SmallProject, number: signal.Signals) -> None:
    assert small.run("prepare-data", "--no-progress").code == 0
    small.set(clustering__min_samples=2)
    started = start(small.folder, PROGRAM, "pretrain-encoder", "--no-progress")
    snapshot = small.folder / ".genreid" / "state" / "pretrain-encoder" / "snapshot.pt"
    wait_for(snapshot.exists, started)
    ends_as_told(started, number)
    assert snapshot.exists() and not (small.folder / "models" / "encoder.pt").exists()
    done = small.run("pretrain-encoder")
    assert done.code == 0, done.err
    assert "goes on from its kept state" in done.out + done.err


def workers_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except FileNotFoundError:
        return []
    return [int(child) for text in texts for child in text.split()]


def wait_for_end(pids: list[int]) -> None:
    """Nor does one that should not be there stay after the test."""
    end = time.monotonic() + 30
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        if time.monotonic() > end:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            pytest.fail(f"{len(left)} of {len(pids)} processes outlived their command")
        time.sleep(0.05)


PROGRAMS = """
import sys, threading, time
from pipeline.ending import end_when_told, run_program
end_when_told()
def trials():
    for _ in range(2):
        run_program(["sh", "-c", sys.argv[1]])
threading.Thread(target=trials).start()
while True:
    time.sleep(1)
"""


@SIGNALS
@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "], ids=["ends", "deaf"])
def test_programs_and_what_they_have_started_end_too(
    tmp_path: Path, number: signal.Signals, deaf: str
) -> None:
    """As `genreid study run` has a trial: DVC, its shell and the stage. The signal is for the first alone."""
    begun = tmp_path / "begun"
    started = start(tmp_path, PROGRAMS, f"{deaf}sleep 300 & echo $$ $! >> {begun}; wait; sleep 300")
    wait_for(lambda: begun.exists() and begun.read_text().endswith("\n"), started)
    pids = [int(pid) for pid in begun.read_text().split()]
    assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    ends_as_told(started, number, group=False)
    assert begun.read_text().count("\n") == 1, "no second program is begun"
    wait_for_end(pids)
