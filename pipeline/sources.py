"""What the modules of the project are and import, from their sources, which are read and not run."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

from pipeline.artifacts import write_bytes
from pipeline.errors import PipelineError


class Import(NamedTuple):
    """Dots, module and names of `from ..module import names`."""

    level: int
    module: str
    names: tuple[str, ...]


class Reading(NamedTuple):
    """tree: the hash of a module's syntax tree, empty where it does nothing. imports: all that it has."""

    tree: str
    imports: tuple[Import, ...]


@dataclass(frozen=True)
class Source:
    """A module of the project and its file."""

    name: str
    file: Path

    @property
    def package(self) -> str:
        """The package whose folder it is in: its own, where it is one."""
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]


class Sources:
    """The modules as one look at the disk has them: each is found and read once.

    kept: a file of what earlier sources came to, by the hash of their content, since reading one takes a
        hundred times as long as its hash. A file that is of no use is made anew.
    """

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._earlier = {} if kept is None else _earlier(kept)
        self._found: dict[str, Source | None] = {}
        self._readings: dict[str, Reading] = {}
        self._by_content: dict[str, Reading] = {}
        self._assets: dict[Path, dict[str, str]] = {}

    def find(self, module: str) -> Source | None:
        """The module's source; None for a name inside a module, and for a folder without code of its own."""
        if module not in self._found:
            self._found[module] = _find(module)
        return self._found[module]

    def read(self, source: Source) -> Reading:
        """Raises PipelineError where it is no Python."""
        if source.name not in self._readings:
            content = source.file.read_bytes()
            key = sha256(content).hexdigest()
            try:
                reading = self._earlier.get(key) or _read(content)
            except SyntaxError as error:
                raise PipelineError(f"{source.file}:{error.lineno}: no valid Python: {error.msg}") from None
            self._readings[source.name] = self._by_content[key] = reading
        return self._readings[source.name]

    def assets(self, source: Source) -> dict[str, str]:
        """The hash of each file in a folder `assets` beside the module, by its place in the package."""
        folder = source.file.parent
        if folder not in self._assets:
            files = [path for path in folder.glob("assets/**/*") if path.is_file() and path.suffix != ".pyc"]
            self._assets[folder] = {
                f"{source.package}/{path.relative_to(folder).as_posix()}": hash_of(path.read_bytes())
                for path in sorted(files)
            }
        return self._assets[folder]

    def imported(self, source: Source, statement: Import) -> Iterator[str]:
        """All that the statement in this source may import; a name may be no module at all."""
        level, module, names = statement
        if level:
            above = source.package.split(".")
            module = ".".join(filter(None, [*above[: len(above) - level + 1], module]))
        yield module
        for name in names:
            if name != "*":
                yield f"{module}.{name}"
            elif (star := self.find(module)) and star.package == module:
                yield from (f"{module}.{one.name}" for one in iter_modules([str(star.file.parent)]))

    def keep(self) -> None:
        """Write the file anew, with what was read this time, where it lacks any of that."""
        if self._kept is not None and not self._by_content.keys() <= self._earlier.keys():
            text = json.dumps({"made_by": _maker(), "readings": self._by_content})
            write_bytes(self._kept, text.encode())


def hash_of(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


def _earlier(kept: Path) -> dict[str, Reading]:
    try:
        told = json.loads(kept.read_bytes())
        if told["made_by"] != _maker():
            return {}
        return {
            key: Reading(tree, tuple(Import(level, module, tuple(names)) for level, module, names in imports))
            for key, (tree, imports) in told["readings"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _maker() -> str:
    """What a reading depends on beside the source: Python, whose trees differ, and this file."""
    return f"{sys.version} {hash_of(Path(__file__).read_bytes())}"


def _find(module: str) -> Source | None:
    top, *inside = module.split(".")
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*inside)
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((Source(module, file) for file in files if file.is_file()), None)


def _read(content: bytes) -> Reading:
    words: list[str] = []
    imports: list[Import] = []
    _describe(ast.parse(content), words, imports)
    return Reading(hash_of(" ".join(words).encode()) if len(words) > 2 else "", tuple(imports))


def _describe(node: ast.AST, words: list[str], imports: list[Import]) -> None:
    """Add the tree to `words` and what it imports to `imports`."""
    if isinstance(node, ast.Import):
        imports += [Import(0, alias.name, ()) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        imports.append(Import(node.level, node.module or "", tuple(alias.name for alias in node.names)))
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
