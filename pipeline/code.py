"""What code a result depends on, as a short text: which modules and packages, and a hash or version of each.

A stage runs again where this text has changed. It is made of the syntax trees of all that the stage imports,
without what does nothing, so that comments, docstrings and formatting are free. Imports are read, not run:
those inside functions count, those for type checking do not. This module and the reader of
sources are no part of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from pipeline.artifacts import write_bytes
from pipeline.sources import Sources

PROJECT = ("genreid", "pipeline", "stages")

_DISTRIBUTIONS = {
    "PIL": ("pillow",),
    "ai_edge_litert": ("ai-edge-litert",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "faiss": ("faiss-gpu", "faiss-cpu"),
    "numba": ("numba",),
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "pyarrow": ("pyarrow",),
    "pytorch3d": ("pytorch3d",),
    "scipy": ("scipy",),
    "sklearn": ("scikit-learn",),
    "smplx": ("smplx",),
    "timm": ("timm",),
    "torch": ("torch",),
    "torchvision": ("torchvision",),
}
"""Whose version can change a result, by the name that is imported: not what only draws, tells or checks."""


def code_fingerprint(
    module: str, packages: Sequence[str] = PROJECT, sources: Sources | None = None
) -> dict[str, str]:
    """What `module` and all that it imports from `packages`, directly or not, are.

    sources: one look at the disk for several fingerprints; without it this one has its own.

    A hash by the name of each module that does anything and of each file in a folder `assets` beside one;
    then the versions of Python and of the packages from elsewhere that can change a result.
    """
    sources = sources or Sources()
    hashes: dict[str, str] = {}
    elsewhere: set[str] = set()
    seen, waiting = {__name__, Sources.__module__}, {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        if (top := name.partition(".")[0]) not in packages:
            elsewhere.add(top)
            continue
        found = {name.rpartition(".")[0] or top}  # to import it is to run the package around it
        if source := sources.find(name):
            tree, imports = sources.read(source)
            hashes |= ({name: tree} if tree else {}) | sources.assets(source)
            found.update(one for statement in imports for one in sources.imported(source, statement))
        waiting |= found - seen
    return dict(sorted(hashes.items())) | dict(_versions(elsewhere))


def keep_fingerprint(path: Path, fingerprint: Mapping[str, str]) -> list[str]:
    """Write the fingerprint to `path`, a line a name. Returns the names that say something else than before.

    A file that says the same is left alone.
    """
    lines = [f"{name} {value}" for name, value in fingerprint.items()]
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else None
    if lines == before:
        return []
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
    return [] if before is None else sorted({line.split()[0] for line in set(lines) ^ set(before)})


def _versions(names: set[str]) -> Iterator[tuple[str, str]]:
    yield "python", f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in sorted(names & _DISTRIBUTIONS.keys()):
        if found := _version(name):
            yield name, found


@cache
def _version(name: str) -> str:
    """The installed version without the build it comes from (`+cpu`); empty where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    for distribution in _DISTRIBUTIONS[name]:
        try:
            return version(distribution).partition("+")[0]
        except PackageNotFoundError:
            continue
    return ""
