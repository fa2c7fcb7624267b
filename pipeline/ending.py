"""How a command ends that is told to: one line and exit code 130 or 143, whatever it is doing, and with it
all that it has started. (129 where its terminal is gone.)

Python's own way is an exception, which may come up within an import, a destructor or a library that takes it
for a failure of its own: then there are many lines, or none, and sometimes no end. So the process ends on the
spot.
Nothing is lost by that: what a stage keeps is whole at any moment, because it may be killed at any moment
(`pipeline.resume`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from types import FrameType
from typing import Any, NoReturn

EXIT_CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
INTERRUPTED = "a stage that is run again goes on from the state that is kept"

_SHOW_CURSOR = "\x1b[?25h\n"  # a progress bar hides it
# What is left of a killed pool is cleared away by a process of its own, which would say so.
_NO_REPORT = "ignore::UserWarning:multiprocessing.resource_tracker"

unfinished: set[str] = set()
"""Temporary files that are being written."""

_groups: set[int] = set()
"""Groups of processes that run for this one; see `run_program`."""
_GRACE_SECONDS = 5.0

_holding = 0
_told = True
_lock = Lock()
_waiting: int | None = None


def end_when_told() -> None:
    """From now on SIGINT and SIGTERM end this process; one that it was started without stays ignored."""
    warnings = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{warnings},{_NO_REPORT}" if warnings else _NO_REPORT
    for number in EXIT_CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is begun here is ended first: a worker is not left half born. Any thread may ask for it."""
    global _holding
    with _lock:
        _holding += 1
    try:
        yield
    finally:
        with _lock:
            _holding -= 1
        if _holding == 0 and _waiting is not None:
            signal.raise_signal(_waiting)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """A process that is started meanwhile never gets the signals that end a command: its parent ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, EXIT_CODES)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """From now on this process, which multiprocessing has started, ends when its parent does, however."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def end_untold() -> None:
    """From now on a signal ends this process without a line: another one has it."""
    global _told
    _told = False


def end_on_the_spot(line: str, code: int) -> NoReturn:
    """Any thread may end the process as a signal does: with a line, or none where it is empty."""
    while _holding:
        time.sleep(0.01)
    for other in EXIT_CODES:
        with suppress(ValueError):  # the main thread alone may set it
            signal.signal(other, signal.SIG_IGN)
    _end_all(line, code)


def run_program(command: Sequence[str], **options: Any) -> int:
    """The exit code of another program, which ends with this one, and with all that it has started.

    options: for `subprocess.Popen`. It runs in a group of its own, so that a signal for its end reaches every
    process of it; it cannot read from the terminal.
    """
    process = None
    with undisturbed():
        if _waiting is None:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, **options)
            _groups.add(process.pid)
    while process is None:  # this process ends: nothing more is begun
        time.sleep(1)
    try:
        return process.wait()
    finally:
        _groups.discard(process.pid)


def _end(number: int, frame: FrameType | None) -> None:
    global _waiting
    _waiting = number  # before the look at `_holding`: one of the two sides sees the other
    if _holding:
        return
    for other in EXIT_CODES:
        signal.signal(other, signal.SIG_IGN)
    what = "interrupted" if number == signal.SIGINT else "ended"
    _end_all(f"{what}; {INTERRUPTED}" if _told else "", EXIT_CODES[signal.Signals(number)])


def _end_all(line: str, code: int) -> NoReturn:
    _kill_workers()
    _end_programs()
    for path in list(unfinished):
        with suppress(OSError):
            os.unlink(path)
    if line:
        with suppress(OSError):
            os.write(2, f"{_SHOW_CURSOR if os.isatty(2) else ''}{line}\n".encode())
    os._exit(code)


def _kill_workers() -> None:
    if "multiprocessing.process" not in sys.modules:
        return
    from multiprocessing import active_children

    with suppress(Exception):  # another thread may be ending one of them at the same time
        for process in active_children():
            process.kill()


def _end_programs() -> None:
    """They are told to end, and killed where they do not: a stage's state is whole at any moment."""
    left = [group for group in list(_groups) if _is_told(group, signal.SIGTERM)]
    end = time.monotonic() + _GRACE_SECONDS
    while left and time.monotonic() < end:
        time.sleep(0.05)  # in which the thread that waits for the program notices its end
        left = [group for group in left if _is_told(group, 0)]
    for group in left:
        _is_told(group, signal.SIGKILL)


def _is_told(group: int, number: int) -> bool:
    """Whether there is still a process in the group, which gets the signal; 0 is none."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True
