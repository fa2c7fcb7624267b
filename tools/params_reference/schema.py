"""params.schema.json: what editors complete and check params.yaml by (JSON Schema, draft 7).

It says of one value at a time what the strict reader says. What it cannot say: rules between keys (`k2` is at
most `k1`), and that 12.0 is no whole number, which it is in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tools.params_reference.keys import Key, all_keys, graph, sections, shared_sections
from tools.params_reference.kinds import LONGEST_TEXT, Kind

_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


def schema() -> dict[str, Any]:
    """The whole of it, as plain values."""
    found = all_keys()
    told = {name: _about(name) for name in sections()} | shared_sections()
    parts = {name: _part(name, found) | {"description": about} for name, about in told.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "params.yaml of genreid",
        "type": "object",
        "additionalProperties": False,
        "required": list(parts),
        "properties": parts,
    }


def schema_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _about(section: str) -> str:
    stage = graph().get(section.replace("_", "-"))
    return "Where each artifact is, relative to the project." if stage is None else f"{stage['desc']}."


def _part(name: str, found: Sequence[Key]) -> dict[str, Any]:
    below = [key for key in found if key.name.rpartition(".")[0] == name]
    properties = {key.name.rpartition(".")[2]: _property(key, found) for key in below}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _property(key: Key, found: Sequence[Key]) -> dict[str, Any]:
    if key.kind.part is not None:
        part = _part(key.name, found) | {"description": described(key)}
        return part if not key.kind.is_optional else part | {"type": ["object", "null"]}
    made = _values(key.kind)
    if key.is_there:
        made["default"] = key.default
    return made | {"description": described(key)}


def described(key: Key) -> str:
    """What an editor shows beside the key."""
    unit = f" Unit: {key.text.unit}." if key.text.unit else ""
    paper = "" if key.paper is None else f" Paper: {json.dumps(key.paper)}."
    return f"{key.text.whole}{unit}{paper}"


def _values(kind: Kind) -> dict[str, Any]:
    if kind.name == "choice":
        return {"enum": [*kind.choices, *([None] if kind.is_optional else [])]}
    if kind.name == "list":
        assert kind.item is not None
        return {"type": _type("array", kind), "items": _values(kind.item)}
    made: dict[str, Any] = {"type": _type(_TYPES[kind.name], kind)}
    if kind.name == "str":
        made |= {"maxLength": LONGEST_TEXT, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}
    return made | {_LIMITS[name]: limit for name, limit in (kind.limits or {}).items()}


def _type(name: str, kind: Kind) -> str | list[str]:
    return [name, "null"] if kind.is_optional else name
