"""Writes docs/commands.md, every command of `genreid` with its options, from what Typer knows of them.

python -m tools.write_commands           write it
python -m tools.write_commands --check   fail where it is out of date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import typer.main

from stages.cli import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
HEAD = """# Commands

*Written by `python -m tools.write_commands` from the program itself; `genreid COMMAND --help` says the same.*

{about}
"""


def written() -> str:
    """The page: the commands in the groups in which `genreid --help` has them."""
    program: Any = typer.main.get_command(app)
    groups: dict[str, list[str]] = {}
    for name, command in program.commands.items():
        if not command.hidden:
            told = _told(f"genreid {name}", command, "###")
            groups.setdefault(command.rich_help_panel or "Others", []).extend(told)
    parts = [HEAD.format(about=plain(program.help))]
    for group, told_there in groups.items():
        parts += [f"## {group}\n", *told_there]
    return "\n".join(parts)


def _told(name: str, command: Any, heading: str) -> Iterator[str]:
    """A command, and those that stand below it."""
    yield f"{heading} {name}\n"
    yield from _about(command.help)
    below = getattr(command, "commands", {})
    for own_name, own in below.items():
        yield from _told(f"{name} {own_name}", own, f"{heading}#")
    if not below:
        context = command.make_context(name, [], resilient_parsing=True)
        yield _block("text", [" ".join([name, *command.collect_usage_pieces(context)])])
        yield from _table(command, context)


def _about(text: str | None) -> Iterator[str]:
    """Paragraphs of a help; examples, which have a paragraph each, in one block."""
    paragraphs = [" ".join(part.split()) for part in (text or "").split("\n\n")]
    for is_example, parts in groupby(paragraphs, key=lambda part: part.startswith("genreid ")):
        if is_example:
            yield _block("console", [f"$ {part}" for part in parts])
        else:
            yield from (f"{plain(part)}\n" for part in parts)


def _block(language: str, lines: list[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```\n"])


def _table(command: Any, context: Any) -> Iterator[str]:
    """A row for each argument and option: how it is written, and what `--help` says of it."""
    records = [one.get_help_record(context) for one in command.params if not one.hidden]
    rows = [record for record in records if record and record[0] != "--help"]
    if rows:
        yield "| option | |"
        yield "|---|---|"
        for names, meaning in rows:
            yield f"| `{names.replace('|', ', ')}` | {plain(meaning)} |"
        yield ""


def plain(text: str | None) -> str:
    """Help without the marks of rich, in one line that a cell of a table can hold."""
    unmarked = re.sub(
        r"\[/?(?:bold|dim|italic|green|red|yellow|cyan|blue)\]", "", " ".join((text or "").split())
    )
    return unmarked.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main(arguments: list[str]) -> int:
    text = written()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/commands.md is out of date; run `python -m tools.write_commands`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
