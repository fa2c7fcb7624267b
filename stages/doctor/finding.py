"""What a check found, and the words of errors as findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from stages.doctor.configuration import Configuration

State = Literal["ok", "note", "missing"]
"""ok: there, or not needed. note: missing, and the configured run does without. missing: it cannot start."""


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do where something is missing."""

    state: State
    found: str
    to_do: str = ""


@dataclass(frozen=True)
class Check:
    """A line of the screen."""

    name: str
    look: Callable[[Configuration], Finding]


def install_again(place: Path = Path(__file__)) -> str:
    """How the program at `place` and what it needs were installed: in a clone by make, else from a wheel."""
    in_clone = (place.resolve().parents[2] / "Makefile").is_file()
    return "`make install`" if in_clone else "`pip install --force-reinstall` with the wheel of genreid"


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def problem_and_remedy(message: str) -> tuple[str, str]:
    """An error's line in two: messages of the domain end with what to do, after a semicolon or a colon."""
    for mark in ("; ", ": "):
        problem, found, remedy = message.rpartition(mark)
        if found:
            return problem, remedy
    return message, "see the message"


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
