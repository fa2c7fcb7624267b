"""The tutorial notebook: run it, and make a page of the site of it.

`python -m tools.tutorial` runs docs/tutorial.ipynb in an empty folder, as its reader would, and writes down
what its cells printed and drew. Run it after a change of the notebook, or of what it shows.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
_SECONDS_A_CELL = 7200
_PICTURE = "image/jpeg"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Notebook = dict[str, Any]
"""Its JSON, format 4.5."""


@dataclass(frozen=True)
class Page:
    """A notebook as Markdown. pictures: the bytes of each, by its name beside the page."""

    markdown: str
    pictures: Mapping[str, bytes]


def execute(path: Path, folder: Path) -> Notebook:
    """The notebook at `path` with what its cells give when they run in `folder`, in this environment.

    Raises nbclient.exceptions.CellExecutionError when one fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=_SECONDS_A_CELL, kernel_name="python3", resources=resources).execute()
    executed: Notebook = json.loads(nbformat.writes(notebook))
    return without_place(executed, folder)


def without_place(notebook: Notebook, folder: Path) -> Notebook:
    """As if it had run in the reader's own folder, and what a program printed in one piece. When a cell ran
    is not kept."""
    told = json.dumps(notebook, ensure_ascii=False)
    for place in {str(folder), str(folder.resolve())}:
        told = told.replace(place, "~")
    plain: Notebook = json.loads(told)
    plain["metadata"] = {name: plain["metadata"][name] for name in ("kernelspec",)}
    for cell in plain["cells"]:
        cell["metadata"] = {}
        if "outputs" in cell:
            cell["outputs"] = _joined(cell["outputs"])
    return plain


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a program printed comes in pieces, as they left its pipe: those that follow each other as one."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] = ("".join(last["text"]) + "".join(output["text"])).splitlines(keepends=True)
        else:
            joined.append(dict(output))
    return joined


def page_of(notebook: Notebook, stem: str) -> Page:
    """Markdown for the site. stem: what the names of its pictures begin with."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        shell = source.startswith("%%bash\n")
        parts.append(_fenced(source.removeprefix("%%bash\n"), "bash" if shell else "python"))
        for output in cell["outputs"]:
            parts.extend(_shown(output, stem, pictures))
    return Page("\n\n".join(parts) + "\n", pictures)


def _shown(output: Mapping[str, Any], stem: str, pictures: dict[str, bytes]) -> Iterator[str]:
    data = output.get("data", {})
    if _PICTURE in data:
        name = f"{stem}_{len(pictures) + 1}.jpg"
        pictures[name] = base64.b64decode("".join(data[_PICTURE]))
        yield f"![{output['metadata'][_PICTURE]['alt']}]({name})"
    elif "text/html" in data:
        yield f'<div class="cell-table" tabindex="0">{_table("".join(data["text/html"]))}</div>'
    else:
        text = "".join(output.get("text", data.get("text/plain", "")))
        yield _fenced(_COLOURS.sub("", text).rstrip("\n"), "text")


def _table(html: str) -> str:
    """The table alone, without pandas' own style."""
    found = re.search(r"<table.*?</table>", html, re.DOTALL)
    return re.sub(r"\n\s*", "", found[0] if found else html)


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def write(notebook: Notebook, path: Path) -> None:
    """As ruff and git like it: indented by one, a newline at the end."""
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(execute(TUTORIAL, Path(folder)), TUTORIAL)
    print(f"{TUTORIAL.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main()
