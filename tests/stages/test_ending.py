"""Ctrl-C and `kill` at moments of all kinds: one line, the exit code, the state kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.small_project import ROOT, SmallProject

TOLD = {
    signal.SIGINT: (130, "interrupted; a stage that is run again goes on from the state that is kept\n"),
    signal.SIGTERM: (143, "ended; a stage that is run again goes on from the state that is kept\n"),
}
SIGNALS = pytest.mark.parametrize("number", TOLD, ids=lambda number: number.name)
PROGRAM = "from stages.entry import main; main()"


def start(folder: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    """A command in a group of its own, as a terminal would start it."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GENREID_SAVE_SECONDS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )


def ends_as_told(process: subprocess.Popen[str], number: signal.Signals, *, group: bool = True) -> None:
    (os.killpg if group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == TOLD[number]


def wait_for(there: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 240
    while not there():
        assert process.poll() is None, process.communicate()
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
    process = start(small.folder, program, "pretrain-encoder" if module != "torch" else "doctor")
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == TOLD[number]


@pytest.mark.slow
@SIGNALS
@pytest.mark.parametrize("group", [True, False], ids=["group", "parent"])
@pytest.mark.parametrize("moment", ["born", "working"])
def test_while_workers_begin_and_work(
    small: SmallProject, number: signal.Signals, group: bool, moment: str
) -> None:
    small.set(prepare_data__synthetic__train_identities=400)
    process = start(small.folder, PROGRAM, "prepare-data", "--no-progress", "--workers", "2")
    chunks = small.folder / ".genreid" / "state" / "prepare-data" / "chunks"
    first = chunks / "000000.parquet"
    wait_for(first.exists if moment == "working" else lambda: bool(workers_of(process.pid)), process)
    workers = workers_of(process.pid)
    ends_as_told(process, number, group=group)
    wait_for_end(workers)
    if moment == "working":
        assert first.exists()
    # What a thread begins between the signal and the end stays; the next writer of that file removes it.
    assert len(list(small.folder.rglob("*.tmp"))) <= 2


@pytest.mark.slow
@SIGNALS
def test_in_training_and_on_from_there(small: SmallProject, number: signal.Signals) -> None:
    assert small.run("prepare-data", "--no-progress").code == 0
    small.set(pretrain_encoder__clustering__min_samples=2)
    process = start(small.folder, PROGRAM, "pretrain-encoder", "--no-progress")
    snapshot = small.folder / ".genreid" / "state" / "pretrain-encoder" / "snapshot.pt"
    wait_for(snapshot.exists, process)
    ends_as_told(process, number)
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
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end, "a worker outlived its command"
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
    process = start(tmp_path, PROGRAMS, f"{deaf}sleep 300 & echo $$ $! >> {begun}; wait; sleep 300")
    wait_for(lambda: begun.exists() and begun.read_text().endswith("\n"), process)
    pids = [int(pid) for pid in begun.read_text().split()]
    assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    ends_as_told(process, number, group=False)
    assert begun.read_text().count("\n") == 1, "no second program is begun"
    wait_for_end(pids)
