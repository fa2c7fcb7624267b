"""See the package."""

from __future__ import annotations

import argparse
import sys

import tools.params_reference as package
from tools.params_reference.comments import commented, current
from tools.params_reference.keys import ROOT
from tools.params_reference.page import page
from tools.params_reference.schema import schema_text


def made() -> dict[str, str]:
    """The files, below the project, as they have to be. Raises LookupError where a field lacks its text."""
    return {
        "params.yaml": commented(current()),
        "params.schema.json": schema_text(),
        "docs/params.md": page(),
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=package.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args(arguments)
    try:
        files = made()
    except LookupError as error:
        print(error, file=sys.stderr)
        return 1
    wrong = [name for name, text in files.items() if _text(name) != text]
    if not asked.check:
        for name in wrong:
            (ROOT / name).write_text(files[name], encoding="utf-8")
    elif wrong:
        print(f"{', '.join(wrong)}: out of date; run `python -m tools.params_reference`", file=sys.stderr)
        return 1
    return 0


def _text(name: str) -> str | None:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
