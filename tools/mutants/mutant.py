"""One changed file: what was changed, where, and which tests should notice."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("losses", "clustering", "models", "mesh", "evaluation", "data", "warping", "training", "stages")


@dataclass(frozen=True)
class Mutant:
    """A file with a fault in it.

    file: relative to the project. line: where the change begins, from 1 on. function: the first line of the
    function that it is in, 0 outside functions and in kernels (compiled, they never show when they are
    called). old, new: the changed lines before and after, without indentation. text: the whole file with the
    fault. why: the operator, or what a hand-written swap leaves out. by_hand: it is one of those.
    """

    file: str
    line: int
    function: int
    old: str
    new: str
    text: str
    why: str
    by_hand: bool

    @property
    def room(self) -> str:
        return room_of(self.file)

    @cached_property
    def key(self) -> str:
        """Names the faulty file: the same fault in the same code has the same key."""
        return digest(self.file, self.text)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Names the fault in a list that a person keeps: the file, the lines before and after, no blanks."""
        return identity(self.file, self.old, self.new)

    def __str__(self) -> str:
        old, new = (" ⏎ ".join(text.splitlines()) for text in (self.old, self.new))
        return f"{self.file}:{self.line}  {old}  →  {new}  ({self.why})"


def room_of(file: str) -> str:
    first, *rest = Path(file).parts
    return rest[0] if first == "genreid" else first


def identity(file: str, old: str, new: str) -> tuple[str, str, str]:
    return file, "".join(old.split()), "".join(new.split())


def source_files() -> list[str]:
    """The files that are changed, sorted."""
    folders = [ROOT / room if room == "stages" else ROOT / "genreid" / room for room in ROOMS]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in files)


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:20]


def is_kernel(function: ast.AST) -> bool:
    """Whether numba compiles it."""
    return any("njit" in ast.unparse(decorator) for decorator in getattr(function, "decorator_list", []))


def enclosing_function(tree: ast.Module, line: int, column: int) -> int:
    """The first line, as code objects have it, of the innermost function whose body holds a place; or 0.

    line from 1 and column from 0 on, as `ast` has them.
    """
    first = 0
    for node in ast.walk(tree):  # outer ones come first
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            begin, end = node.body[0], node.body[-1]
            if (begin.lineno, begin.col_offset) <= (line, column) and line <= (end.end_lineno or 0):
                if is_kernel(node):
                    return 0
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return first
