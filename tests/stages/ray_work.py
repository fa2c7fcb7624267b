"""Work for Ray workers to do in tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from genreid.errors import GenreidError

_starts = 0


def start(fails: str = "") -> None:
    """Count how often a process begins; or fail as asked."""
    global _starts
    _starts += 1
    if fails == "refuse":
        raise GenreidError("no such model")
    if fails == "die":
        os.kill(os.getpid(), signal.SIGKILL)


def told() -> tuple[int, int]:
    """This process, and how often it has begun."""
    return os.getpid(), _starts


def meet(folder: Path, num: int) -> None:
    """Be at work together with others, so that no one does the work of all; in time, or it fails."""
    (folder / str(os.getpid())).touch()
    last = time.monotonic() + 120.0
    while len(list(folder.iterdir())) < num:
        if time.monotonic() > last:
            raise TimeoutError(f"{num} workers did not meet in {folder}")
        time.sleep(0.05)


def die_once(mark: Path) -> int:
    """Kill this process where there is no such file yet, which there is then."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def read(path: Path) -> bytes:
    return path.read_bytes()


def fault() -> None:
    raise KeyError("a fault of the program")


def large(num_bytes: int) -> np.ndarray:
    return np.zeros(num_bytes, np.uint8)
