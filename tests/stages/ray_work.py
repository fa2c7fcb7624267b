"""Work for Ray workers to do in tests."""

from __future__ import annotations

import os
import signal
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
