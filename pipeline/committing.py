"""Whether git can commit here, as DVC does for every experiment."""

from __future__ import annotations

import subprocess
from pathlib import Path

NAME_AN_AUTHOR = '`git config --global user.name "…"` and `git config --global user.email "…"`'


def knows_author(root: Path) -> bool:
    """Whether git knows by which name and address to commit in the repository `root`: from its settings or
    the environment, without a guess from the machine's name, which DVC does not make either.
    """
    asked = ["git", "-C", str(root), "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"]
    return subprocess.run(asked, capture_output=True).returncode == 0
