"""Puts line numbers into the links from the pages to the code, and refuses links to what is not there.

    python tools/link_lines.py           rewrite them
    python tools/link_lines.py --check   fail where one is out of date

A link to code says which definition it means, and may quote a piece of the line within it:
    [`joint_step`](../genreid/training/joint.py)    [`Run.resume`](../genreid/training/run.py "left = (")
The number is that of the definition, or of the first line within it that holds the quoted piece.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r'\[`(?P<name>[\w.]+)`\]\((?P<file>[^)\s#]+\.py)(?:#L\d+)?(?: "(?P<quoted>[^"]*)")?\)')


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def linked(text: str, page: Path) -> str:
    """The text of a page with the line of each link to code. Raises LookupError with what is missing."""

    def renewed(link: re.Match[str]) -> str:
        name, file, quoted = link["name"], link["file"], link["quoted"]
        line = line_of((page.parent / file).resolve(), name, quoted)
        title = "" if quoted is None else f' "{quoted}"'
        return f"[`{name}`]({file}#L{line}{title})"

    return LINK.sub(renewed, text)


def line_of(file: Path, name: str, quoted: str | None) -> int:
    """Where the definition `name` (`Class.method` for a method) begins, or the line of it with `quoted`."""
    if not file.is_file():
        raise LookupError(f"no file {file.relative_to(ROOT)}")
    source, body = parsed(file)
    node: ast.AST | None = None
    for part in name.split("."):
        node = next((found for found in body if part in names_of(found)), None)
        if node is None:
            raise LookupError(f"no definition `{name}` in {file.relative_to(ROOT)}")
        body = getattr(node, "body", [])
    assert isinstance(node, ast.stmt)
    if quoted is None:
        return node.lineno
    for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        if quoted in source[number - 1]:
            return number
    raise LookupError(f"no line with `{quoted}` in `{name}` of {file.relative_to(ROOT)}")


@cache
def parsed(file: Path) -> tuple[list[str], list[ast.stmt]]:
    source = file.read_text(encoding="utf-8")
    return source.splitlines(), ast.parse(source).body


def names_of(node: ast.stmt) -> list[str]:
    """What a statement defines: a function, a class, or names that are assigned to."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def main(arguments: list[str]) -> int:
    wrong = []
    for page in pages():
        old = page.read_text(encoding="utf-8")
        try:
            new = linked(old, page)
        except LookupError as error:
            wrong.append(f"{page.relative_to(ROOT)}: {error}")
            continue
        if new != old and "--check" in arguments:
            wrong.append(f"{page.relative_to(ROOT)}: lines have moved; run `python tools/link_lines.py`")
        elif new != old:
            page.write_text(new, encoding="utf-8")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
