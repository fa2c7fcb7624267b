"""The picture of the rooms is of the rooms that there are, and each of them is described."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pipeline.params import load_params, shared_keys
from stages.shared.run import Paths
from stages.shared.sections import stage_settings
from tools import draw_rooms

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_is_up_to_date() -> None:
    drawn = draw_rooms.PICTURE.read_text(encoding="utf-8")
    assert drawn == draw_rooms.drawn(), "run `python tools/draw_rooms.py`"
    assert len(drawn) < 200_000


def test_every_room_is_described_and_every_described_room_is_there() -> None:
    described = set(re.findall(r"^\| `([\w/]+)` \|", _part("The rooms"), re.MULTILINE))
    packages = [*ROOT.glob("genreid/*/__init__.py"), *ROOT.glob("stages/*/__init__.py")]
    rooms = {str(package.parent.relative_to(ROOT)) for package in packages}
    assert described == rooms | {"pipeline", "stages", "benchmarks", "tools"}


def test_every_section_and_part_of_params_has_its_class_in_the_table() -> None:
    row = re.compile(r"^\| `(\w+)` \| \[`(\w+)`\]\(\.\./([\w/]+)\.py\S*\) \|(.*) \|$", re.MULTILINE)
    part = re.compile(r"`(\w+)` \[`(\w+)`\]\(\.\./([\w/]+)\.py")
    told = {}
    for section, name, file, parts in row.findall(_part("The settings")):
        told[section] = name, file
        told |= {f"{section}.{key}": (inner, place) for key, inner, place in part.findall(parts)}
    classes: dict[str, Any] = {"paths": Paths} | stage_settings()
    for section, made in stage_settings().items():
        for key, hint in get_type_hints(made).items():
            parts = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
            classes |= {f"{section}.{key}": kind for kind in parts}
    assert told == {key: (made.__name__, made.__module__.replace(".", "/")) for key, made in classes.items()}
    shared = {key.partition(".")[0] for made in stage_settings().values() for key in shared_keys(made)}
    sections = [key for key in load_params(ROOT / "params.yaml").values if key not in shared]
    assert sections == [key for key in told if "." not in key]


def _part(heading: str) -> str:
    """What stands under a heading of the page."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_arrows_lead_from_a_room_to_what_it_imports_and_skip_what_is_reached_anyway() -> None:
    rooms = {package.parent.name for package in ROOT.glob("genreid/*/__init__.py")}
    imports = {
        room: {
            other
            for file in (ROOT / "genreid" / room).rglob("*.py")
            for other in re.findall(r"^ *from genreid\.(\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
            if other in rooms - {room}
        }
        for room in rooms
    }
    reached = {room: set(others) for room, others in imports.items()}
    for middle in rooms:
        for room in rooms:
            reached[room] |= reached[middle] if middle in reached[room] else set()
    expected = {
        (room, other)
        for room, others in imports.items()
        for other in others
        if not any(other in reached[third] for third in others)
    }
    svg = draw_rooms.drawn()
    boxes = {}
    for x, y, name in re.findall(r'<rect x="(\d+)" y="(\d+)" width="150".*\n<text[^>]*>(\w+)<', svg):
        boxes[name] = (float(x), float(y))
    assert boxes.keys() == rooms

    def at(x: str, y: float) -> str:
        (name,) = (name for name, (left, top) in boxes.items() if left <= float(x) <= left + 150 and top == y)
        return name

    ways = re.findall(r'd="M([\d.]+) ([\d.]+)V[^"]* ([\d.]+) ([\d.]+)" fill="none"', svg)
    bent = [way for way in ways if float(way[1]) > 250]
    found = {(at(x, float(y) - draw_rooms.HEIGHT), at(to_x, float(to_y) + 2)) for x, y, to_x, to_y in bent}
    assert found == expected and len(found) == len(bent) > 8
