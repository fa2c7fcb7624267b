"""Where the program begins: the command `genreid`, and `python -m genreid`.

The program is two packages, `pipeline` and `stages`, that only its own processes know: an environment gets
one name, `genreid`, and somebody's own `pipeline` or `stages` is left alone. They lie in `genreid/_program`
where genreid was installed from a wheel, and beside `genreid` in a clone.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_INSTALLED = _HERE / "_program"


def main() -> None:
    """Run the command line; see `stages.entry.main`."""
    find_program_first()

    from stages.entry import main as run

    run()


def find_program_first() -> None:
    """From now on this process imports the program's own packages, and so do those that it spawns, which get
    its `sys.path`."""
    folder = str(_INSTALLED if _INSTALLED.is_dir() else _HERE.parent)
    if folder not in sys.path[:1]:
        sys.path.insert(0, folder)


if __name__ == "__main__":
    main()
