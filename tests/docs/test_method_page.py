"""The numbers and the switches of docs/method.md are those of params.yaml and of the recipe `market1501`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.params import load_params
from pipeline.recipes import load_overrides

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
PARAMS = load_params(ROOT / "params.yaml")
RECIPE = load_overrides(PARAMS, ROOT / "recipes", "market1501")
OF_THE_PAPER = ("pretrain_encoder.", "pretrain_generator.", "train_joint.")
HEADINGS = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading, headers too."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"
    ]
    return [row for row in cells if not row[0] or row[0][0] == "`" or " " in row[0]]


def value(text: str) -> Any:
    return YAML(typ="safe").load(text)


CONSTANTS = {row[0].strip("`"): row[1:] for row in rows("Constants") if row[0].startswith("`")}


def test_constants_are_those_of_the_files() -> None:
    assert len(CONSTANTS) > 50
    for key, (default, recipe, paper, why) in CONSTANTS.items():
        assert value(default) == PARAMS.value(key), key
        assert value(recipe) == RECIPE.get(key, PARAMS.value(key)), key
        assert paper in ("–", recipe), f"{key}: the recipe is to have the paper's value"
        assert bool(why) >= (default != recipe), f"{key}: say why it is another here"


def named_as_the_papers() -> Iterator[str]:
    """The settings whose comment in params.yaml names the paper's value."""
    stack: list[str] = []
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        if entry := re.match(r"( *)(\w+):(.*)", line):
            stack[len(entry[1]) // 2 :] = [entry[2]]
            if "paper" in entry[3].partition("#")[2]:
                yield ".".join(stack)


def test_no_constant_is_missed() -> None:
    named = set(named_as_the_papers())
    assert "train_joint.contrast.rotation_temperature" in named and len(named) > 8
    changed = {key for key in RECIPE if key.startswith(OF_THE_PAPER)}
    alike = {key.replace("pretrain_generator", "train_joint") for key in CONSTANTS if ".generation." in key}
    assert named | changed <= set(CONSTANTS) | alike


def test_each_addition_has_a_switch_that_the_recipe_turns() -> None:
    switched: dict[str, str] = {}
    for addition, _, switches in (row for row in rows("Beyond the paper")[1:] if len(row) == 3):
        found = re.findall(r"`([\w.]+): ([\w.]+)`", switches)
        assert found, addition
        switched.update(found)
    assert len(switched) > 12
    for key, off in switched.items():
        assert value(off) == RECIPE.get(key, PARAMS.value(key)) != PARAMS.value(key), key


def test_settings_named_in_the_text_exist() -> None:
    sections = "|".join(PARAMS.values)
    for key in re.findall(rf"`((?:{sections})\.[\w.]+)", PAGE):
        PARAMS.value(key)


def test_citations_name_a_section() -> None:
    cited = []
    for folder in ("genreid", "stages", "pipeline", "benchmarks", "tests", "tools"):
        for file in {*(ROOT / folder).rglob("*.py")} - {Path(__file__)}:
            words = " ".join(re.sub(r"\n\s*#", "\n", file.read_text(encoding="utf-8")).split())
            cited += [(file, rest) for rest in words.split("docs/method.md, ")[1:]]
    assert len(cited) > 20
    for file, rest in cited:
        assert rest.startswith(tuple(HEADINGS)), f"{file}: docs/method.md, {rest[:40]}"
