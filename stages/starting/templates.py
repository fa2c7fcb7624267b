"""The files that a project begins with: the repository's own, which a wheel carries.

In a wheel they have names that no tool takes for its own: DVC would find a `dvc.yaml` in an environment that
lies in a project, and run it. Only the standard library is used here, because the build reads this module.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

FILES = (
    "dvc.yaml",
    "params.yaml",
    "params.schema.json",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
    ".dvc/plots.html",
)
PATTERNS = ("recipes/*.yaml", "recipes/studies/*.yaml")
"""The closed studies (recipes/studies/PERIOD) stay in the repository, where their rows are."""

FOLDER = "_project"
_SUFFIX = ".template"


def packed(name: str) -> str:
    """Where in the package a project's file is: `.dvc/config` is `_project/dvc/config.template`."""
    parts = [part.removeprefix(".") for part in PurePosixPath(name).parts]
    return f"{'/'.join((FOLDER, *parts))}{_SUFFIX}"


def of_clone(root: Path) -> dict[str, bytes]:
    """Name in a project → content, from the repository at `root`."""
    found = [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]
    names = [*FILES, *(path.relative_to(root).as_posix() for path in found)]
    return {name: (root / name).read_bytes() for name in names}


def of_package(package: Path) -> dict[str, bytes]:
    """The same from the installed package at `package`."""
    patterns = [packed(pattern) for pattern in PATTERNS]
    found = [path for pattern in patterns for path in sorted(package.glob(pattern))]
    inside = [path.relative_to(package / FOLDER).as_posix().removesuffix(_SUFFIX) for path in found]
    return {name: (package / packed(name)).read_bytes() for name in (*FILES, *inside)}


def templates() -> dict[str, bytes]:
    """The files of this installation, by their names in a project."""
    import genreid

    package = Path(genreid.__file__).resolve().parent
    return of_package(package) if (package / FOLDER).is_dir() else of_clone(package.parent)
