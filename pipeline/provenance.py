"""How an artifact came to be: `provenance/<stage>.json`, beside the outs and never among them.

Outs hold the same bytes whenever the same work is done again, so whatever differs between two such runs
(time, machine, revision) is kept here.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.artifacts import write_json

_PACKAGES = (
    "genreid",
    "torch",
    "torchvision",
    "numpy",
    "pyarrow",
    "numba",
    "opencv-python",
    "dvc",
    "dvclive",
)


def write_provenance(
    root: Path, stage: str, *, device: str, seconds: float, facts: Mapping[str, Any]
) -> None:
    """Write `provenance/<stage>.json` under `root`; `facts` are whatever else the stage has to tell.

    seconds: wall time of this process; an interrupted run's earlier processes are not in it, nor in
    `cpu_seconds`.
    """
    record = {
        "stage": stage,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds(), 1),
        "peak_memory_mb": round(peak_memory_mb()),
        "device": device,
        "git": git_revision(root),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version()} | _versions(),
        **facts,
    }
    write_json(root / "provenance" / f"{stage}.json", record)


def git_revision(root: Path, *, but: str = "") -> str:
    """The commit that is checked out, `+changes` where files differ from it; `none` outside git.

    but: a file or folder that may differ.
    """
    from subprocess import CalledProcessError

    try:
        revision = _git(root, "rev-parse", "HEAD")
        allowed = [":/", f":(exclude){but}"] if but else []
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *allowed)
    except (OSError, CalledProcessError):
        return "none"
    return revision + ("+changes" if changed else "")


def is_committed(root: Path, path: Path) -> bool:
    """Whether git has this file as it is: then nothing is lost with it."""
    from subprocess import CalledProcessError

    try:
        _git(root, "ls-files", "--error-unmatch", "--", str(path))
        return not _git(root, "status", "--porcelain", "--", str(path))
    except (OSError, CalledProcessError):
        return False


def _git(root: Path, *arguments: str) -> str:
    from subprocess import run

    command = ["git", "-C", str(root), *arguments]
    return run(command, check=True, capture_output=True, text=True).stdout.strip()


def cpu_seconds() -> float:
    """CPU time so far of this process, all its threads, and its ended workers."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def peak_memory_mb() -> float:
    """The largest resident size so far of this process or of one of its ended workers, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(process).ru_maxrss for process in processes) * unit / 1e6


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
