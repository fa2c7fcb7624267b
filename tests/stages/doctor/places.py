"""What makes a test's folder one that `dvc repro` takes."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_repository(folder: Path, *, git: bool = True) -> None:
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").touch()
    if git:
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        name_author(folder)


def name_author(folder: Path) -> None:
    """Whom git commits as in the repository `folder`."""
    for key, value in {"name": "Test", "email": "test@example.org"}.items():
        subprocess.run(["git", "-C", str(folder), "config", f"user.{key}", value], check=True)
