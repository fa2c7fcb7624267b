"""docs/commands.md is of the commands that there are, and of all of their options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from tools import write_commands

PAGE = write_commands.PAGE.read_text(encoding="utf-8")
COMMANDS = Path(__file__).parents[2] / "stages" / "cli.py"


def test_the_page_is_up_to_date() -> None:
    assert write_commands.written() == PAGE, "run `python -m tools.write_commands`"


def test_every_command_has_its_own_heading() -> None:
    """By the source of stages/cli.py: the names of the functions that it gives to Typer."""
    source = COMMANDS.read_text(encoding="utf-8")
    stages = re.search(r"STAGES = \((.*?)\)", source, re.DOTALL)
    uses = re.search(r"for _use in \((.*?)\)", source)
    assert stages and uses
    names = {"fingerprint_code", *re.findall(r"\w+", stages[1] + uses[1])}
    names |= set(re.findall(r"add_typer\((\w+)", source)) | {"doctor", "overrides", "summary"}
    headings = set(re.findall(r"^### genreid ([\w-]+)$", PAGE, re.MULTILINE))
    assert headings >= {name.replace("_", "-") for name in names}
    assert "#### genreid study run" in PAGE and "#### genreid models get" in PAGE


def test_options_examples_and_letters_that_markdown_reads_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()

    @app.command(rich_help_panel="Tools")
    def try_it(name: str, loud: bool = typer.Option(False, help="a|b, <c> and *d*")) -> None:
        """Say [bold]it[/bold].

        Examples:

        genreid try-it one

        genreid try-it two *
        """

    @app.command(hidden=True)
    def secret() -> None:
        """Nobody reads this."""

    monkeypatch.setattr(write_commands, "app", app)
    text = write_commands.written()
    assert "## Tools\n\n### genreid try-it\n\nSay it.\n" in text
    assert "```console\n$ genreid try-it one\n$ genreid try-it two *\n```" in text
    assert "a\\|b, &lt;c> and \\*d\\*" in text and "`--loud" in text
    assert "secret" not in text and "Others" not in text


def test_a_page_that_is_old_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_commands, "PAGE", tmp_path / "commands.md")
    assert write_commands.main(["--check"]) == 1
    assert write_commands.main([]) == 0 and write_commands.main(["--check"]) == 0
    (tmp_path / "commands.md").write_text("old", encoding="utf-8")
    assert write_commands.main(["--check"]) == 1
