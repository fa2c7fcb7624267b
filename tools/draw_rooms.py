"""Draws docs/images/rooms.svg, the rooms of the repository: `python tools/draw_rooms.py`.

Layers are those of import-linter's contracts in pyproject.toml, words the first sentences of the packages.
Arrows are the real imports: each leads to what is imported, unless others lead there by a longer way.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from textwrap import wrap

import grimp
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
COLUMNS = {
    "deployment": 1.0,
    "training": 2.0,
    "evaluation": 3.5,
    "mesh": 0.0,
    "synthetic": 1.0,
    "body": 1.0,
    "zoo": 3.0,
}
"""Where a room stands, in columns from the left; the others are counted in their layer."""
WIDTH, HEIGHT, COLUMN, ROW, LEFT, TOP = 150, 80, 166, 128, 40, 270
LINE, BOLD, MIDDLE = "#52606d", 'font-weight="bold"', 'text-anchor="middle"'
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1120 {0}" font-family="Helvetica, sans-serif">
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#52606d"/></marker><rect width="1120" height="{0}" fill="#ffffff"/>"""


def layers() -> list[list[str]]:
    """The rooms of the science, upper ones first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (science,) = (contract for contract in contracts if contract.get("containers") == ["genreid"])
    return [layer.split(" | ") for layer in science["layers"]]


def about(path: str, width: float, lines: int) -> list[str]:
    """The first sentence of a package or module, in lines of `width` letters."""
    text = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
    sentence = " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".").replace("`", "")
    return wrap(sentence, int(width), max_lines=lines, placeholder=" …")


def words(x: float, y: float, line: str, size: int, how: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="#1f2933" {how}>{escape(line)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str = "#ffffff", line: str = LINE) -> str:
    size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"'
    return f'<rect {size} fill="{fill}" stroke="{line}"/>'


def named(x: float, y: float, width: float, height: float, name: str, size: int, lines: list[str]) -> str:
    """A box with a name and lines below it, in its middle."""
    middle, first = x + width / 2, y + (height - 12 * len(lines)) / 2 + size / 3
    below = [words(middle, first + 3 + 12 * i, line, 10, MIDDLE) for i, line in enumerate(lines, 1)]
    return "\n".join([box(x, y, width, height), words(middle, first, name, size, f"{BOLD} {MIDDLE}"), *below])


def panel(x: float, y: float, width: float, height: float, fill: str, package: str) -> str:
    svg = [box(x, y, width, height, fill, "#c5ced8"), words(x + 16, y + 27, package, 18, BOLD)]
    for i, line in enumerate(about(f"{package}/__init__.py", width / 7, 3)):
        svg.append(words(x + 16, y + 46 + 15 * i, line, 12))
    return "\n".join(svg)


def arrow(way: str) -> str:
    return f'<path d="M{way}" fill="none" stroke="{LINE}" stroke-width="1.3" marker-end="url(#tip)"/>'


def commands() -> Iterator[str]:
    """The stages in their order, and the rooms beside them."""
    yield panel(16, 12, 1088, 162, "#e9f6ec", "stages")
    stages = list(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
    rooms = sorted(init.parent.name for init in (ROOT / "stages").glob("*/__init__.py"))
    for names, y, height in ((stages, 70, 28), (rooms, 110, 52)):
        for i, name in enumerate(names):
            step = 1066 / len(names)
            lines = about(f"stages/{name}/__init__.py", step / 6, 2) if names is rooms else []
            yield named(32 + step * i, y, step - 10, height, name, 10, lines)
    ways = [f"{22 + 1066 / len(stages) * i:g} 84h9" for i in range(1, len(stages))]
    yield from map(arrow, [*ways, "440 174V199", "1000 174V199"])


def drawn() -> str:
    rows = [layer for layer in layers() if (ROOT / "genreid" / layer[0]).is_dir()]
    places = {
        name: (LEFT + COLUMN * COLUMNS.get(name, column), TOP + ROW * number)
        for number, layer in enumerate(rows)
        for column, name in enumerate(layer)
    }
    bottom = TOP + ROW * len(rows) - 6
    svg = [HEAD.format(bottom + 60), *commands(), panel(16, 200, 868, bottom - 156, "#e8f1fa", "genreid")]
    graph = grimp.build_graph("genreid", exclude_type_checking_imports=True, cache_dir=None)
    for room in graph.find_children("genreid"):
        graph.squash_module(room)
    for name, (left, top) in places.items():
        svg.append(named(left, top, WIDTH, HEIGHT, name, 15, about(f"genreid/{name}/__init__.py", 26, 4)))
        direct = graph.find_modules_directly_imported_by(f"genreid.{name}") - {f"genreid.{name}"}
        near = direct.difference(*map(graph.find_upstream_modules, direct))
        ends = sorted(places[other] for other in places if f"genreid.{other}" in near)
        for number, (x, y) in enumerate(ends, start=1):
            # Straight down past the rows between, then over to the end.
            start, middle, bend = left + WIDTH * number / (len(ends) + 1), x + WIDTH / 2, y - ROW + HEIGHT
            curve = f"C{start:g} {y - 20:g} {middle:g} {y - 26:g} {middle:g} {y - 2:g}"
            svg.append(arrow(f"{start:g} {top + HEIGHT:g}V{bend:g}{curve}"))
    floor = "  ·  ".join(name for layer in layers() if layer not in rows for name in layer)
    svg.append(named(LEFT, bottom, 4 * COLUMN + WIDTH, 30, f"for all of them:  {floor}", 12, []))
    svg.append(panel(900, 200, 204, bottom - 156, "#fdf3e1", "pipeline"))
    modules = sorted(file.stem for file in (ROOT / "pipeline").glob("[!_]*.py"))
    step = (bottom - TOP + 22) / len(modules)
    for at, name in ((TOP + 13 + step * i, name) for i, name in enumerate(modules)):
        svg.append(named(916, at, 172, step - 6, name, 12, about(f"pipeline/{name}.py", 30, 2)))
    return "\n".join([*svg, "</svg>\n"])


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
