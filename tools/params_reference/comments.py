"""The comments of params.yaml, one a key: `# What it is [unit]; its values; paper: value`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from tools.params_reference.keys import ROOT, Key, all_keys
from tools.params_reference.kinds import values

SCHEMA_LINE = "# yaml-language-server: $schema=params.schema.json"


def commented(text: str) -> str:
    """params.yaml with the comment of every key; values, keys and lines that are comments stay."""
    lines = text.splitlines()
    told = {key.name: comment(key) for key in all_keys()}
    for name, number, column in _ends(YAML(typ="safe", pure=True).compose(text)):
        if name in told:
            lines[number] = f"{lines[number][:column].rstrip()} # {told[name]}"
    if lines[0] != SCHEMA_LINE:
        lines.insert(0, SCHEMA_LINE)
    return "\n".join(lines) + "\n"


def comment(key: Key) -> str:
    unit = f" [{key.text.unit}]" if key.text.unit else ""
    found = "" if key.kind.part and not key.kind.is_optional else values(key.kind, is_whole=False)
    paper = "" if key.paper is None else f"paper: {written(key.paper)}"
    return "; ".join(filter(None, (f"{key.text.summary}{unit}", found, paper)))


def written(value: Any) -> str:
    """A value as params.yaml writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return (
        f"{value:.1e}".replace("e-0", "e-") if isinstance(value, float) and 0 < value < 1e-2 else str(value)
    )


def _ends(node: Any, prefix: str = "") -> Iterator[tuple[str, int, int]]:
    """Of every key of a tree of nodes: its dotted name, its line, and the column where its value ends there,
    or its colon where the value is below; both from 0."""
    for key, value in node.value:
        name, line = f"{prefix}{key.value}", key.start_mark.line
        is_below = value.id == "mapping" and value.start_mark.line > line
        yield name, line, key.end_mark.column + 1 if is_below else value.end_mark.column
        if value.id == "mapping":
            yield from _ends(value, f"{name}.")


def current() -> str:
    return (ROOT / "params.yaml").read_text(encoding="utf-8")
