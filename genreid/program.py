"""Where the program's own packages lie, `pipeline` and `stages`: see `genreid.__main__`.

A module of its own, because what imports it is not to depend on all commands.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_INSTALLED = _HERE / "_program"


def find_program_first() -> None:
    """From now on this process imports the program's own packages, and so do those that it spawns, which get
    its `sys.path`."""
    folder = str(_INSTALLED if _INSTALLED.is_dir() else _HERE.parent)
    if folder not in sys.path[:1]:
        sys.path.insert(0, folder)
