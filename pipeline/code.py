"""What code a result depends on, as a short text: which modules and packages, and a hash or version of each.

A stage runs again where this text has changed. It is made of the syntax trees of all that the stage imports,
without what does nothing, so that comments, docstrings and formatting are free. Imports are read, not run:
those inside functions count, those for type checking do not. This module is no part of it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from pipeline.artifacts import write_bytes
from pipeline.errors import PipelineError

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


def code_fingerprint(module: str, packages: Sequence[str] = PROJECT) -> dict[str, str]:
    """What `module` and all that it imports from `packages`, directly or not, are.

    A hash by the name of each module that does anything and of each file in a folder `assets` beside one;
    then the versions of Python and of the packages from elsewhere that can change a result.
    """
    hashes: dict[str, str] = {}
    elsewhere: set[str] = set()
    seen, waiting = {__name__}, {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        if (top := name.partition(".")[0]) not in packages:
            elsewhere.add(top)
            continue
        found = {name.rpartition(".")[0] or top}  # to import it is to run the package around it
        if source := _find(name):
            tree, imports = source.read()
            hashes |= ({name: tree} if tree else {}) | dict(source.assets())
            found.update(one for statement in imports for one in source.imported(*statement))
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


_Import = tuple[int, str, tuple[str, ...]]
"""Dots, module and names of `from ..module import names`."""


@dataclass(frozen=True)
class _Source:
    """A module of the project and its file."""

    name: str
    file: Path

    @property
    def package(self) -> str:
        """The package whose folder it is in: its own, where it is one."""
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]

    def read(self) -> tuple[str, tuple[_Import, ...]]:
        """See `_read`. Raises PipelineError where it is no Python."""
        try:
            return _read(self.file.read_bytes())
        except SyntaxError as error:
            raise PipelineError(f"{self.file}:{error.lineno}: no valid Python: {error.msg}") from None

    def assets(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.file.parent.glob("assets/**/*")):
            if path.is_file() and path.suffix != ".pyc":
                inside = path.relative_to(self.file.parent).as_posix()
                yield f"{self.package}/{inside}", _hash(path.read_bytes())

    def imported(self, level: int, module: str, names: tuple[str, ...]) -> Iterator[str]:
        """All that `from ..module import names` (level 2) may import; a name may be no module at all."""
        if level:
            above = self.package.split(".")
            module = ".".join(filter(None, [*above[: len(above) - level + 1], module]))
        yield module
        for name in names:
            if name != "*":
                yield f"{module}.{name}"
            elif (source := _find(module)) and source.package == module:
                yield from (f"{module}.{one.name}" for one in iter_modules([str(source.file.parent)]))


def _find(module: str) -> _Source | None:
    """The module's source; None for a name inside a module, and for a folder without code of its own."""
    top, *inside = module.split(".")
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*inside)
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((_Source(module, file) for file in files if file.is_file()), None)


@cache
def _read(source: bytes) -> tuple[str, tuple[_Import, ...]]:
    """The hash of a module's syntax tree, empty where it does nothing, and its imports."""
    words: list[str] = []
    imports: list[_Import] = []
    _describe(ast.parse(source), words, imports)
    return _hash(" ".join(words).encode()) if len(words) > 2 else "", tuple(imports)


def _describe(node: ast.AST, words: list[str], imports: list[_Import]) -> None:
    """Add the tree to `words` and what it imports to `imports`."""
    if isinstance(node, ast.Import):
        imports += [(0, alias.name, ()) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    words.append(type(node).__name__)
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            parts = [part for one in value for part in _effective(one)]
        else:
            parts = [] if value is None or field == "kind" else [value]
        if parts:
            words.append(field)
            for part in parts:
                if isinstance(part, ast.AST):
                    _describe(part, words, imports)
                else:
                    words.append(repr(part))
    words.append(")")


def _effective(part: Any) -> Iterator[Any]:
    """What is left of a part of a tree without what does nothing when it runs."""
    if isinstance(part, ast.If) and "TYPE_CHECKING" in (
        getattr(part.test, "id", ""),
        getattr(part.test, "attr", ""),
    ):
        for statement in part.orelse:
            yield from _effective(statement)
    elif isinstance(part, ast.Tuple) and isinstance(part.ctx, ast.Del):
        for target in part.elts:  # `del (a, b)` is `del a, b` after `ruff format`
            yield from _effective(target)
    elif not isinstance(part, ast.Pass) and not (
        isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    ):
        yield part


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


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
