"""Every key of params.yaml with all that is known of it."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.params import Params, load_params, shared_keys
from stages.shared.paths import Paths
from stages.shared.sections import stage_settings
from tools.params_reference.kinds import Kind, kind_of

ROOT = Path(__file__).resolve().parents[2]
HERE = "tools/params_reference"
_TEXT = re.compile(
    r"(?P<summary>[^.\[]+(?:\.(?=\S)[^.\[]*)*?)(?: \[(?P<unit>[^]]+)\])?\.(?: (?P<more>[^[].*))?"
)


@dataclass(frozen=True)
class Text:
    """What a field says of itself. summary: without a full stop. unit: empty for none. more: the rest."""

    summary: str
    unit: str
    more: str

    @property
    def whole(self) -> str:
        """All but the unit, as sentences."""
        return f"{self.summary}. {self.more}".strip()


@dataclass(frozen=True)
class Key:
    """name: dotted. default: the value in params.yaml. is_there: whether it is there at all; keys below one
    that is null there are not. paper: the paper's value, None where it has none.
    """

    name: str
    text: Text
    kind: Kind
    default: Any
    is_there: bool
    paper: Any

    @property
    def level(self) -> int:
        """Sections have 0."""
        return self.name.count(".")


def sections() -> dict[str, type[Any]]:
    """The settings class of each section, in the file's order."""
    return {"paths": Paths} | stage_settings()


def shared_sections() -> dict[str, str]:
    """Of each section that several stages share: what it is, in a sentence."""
    names = {key.partition(".")[0] for made in sections().values() for key in shared_keys(made)}
    told = {key.name.rpartition(".")[2]: key.text.whole for key in all_keys() if key.kind.part}
    return {name: told[name] for name in sorted(names, reverse=True)}


def all_keys() -> list[Key]:
    """The keys below all sections, in the file's order.

    Raises LookupError where stages share a key and say different things of it.
    """
    params = load_params(ROOT / "params.yaml")
    paper = load_params(ROOT / HERE / "paper.yaml")
    found: dict[str, Key] = {}
    for name, made in sections().items():
        for key in _below(name, made, params, paper):
            if found.setdefault(key.name, key) != key:
                raise LookupError(f"{key.name}: its settings classes differ: {found[key.name]}, {key}")
    place = {name: number for number, name in enumerate(params.lines)}
    return sorted(found.values(), key=lambda key: place[_nearest(key.name, place)])


def _nearest(name: str, place: Mapping[str, int]) -> str:
    while name not in place:
        name = name.rpartition(".")[0]
    return name


def _below(prefix: str, made: type[Any], params: Params, paper: Params) -> Iterator[Key]:
    hints = typing.get_type_hints(made, include_extras=True)
    texts = field_texts(made)
    for field in fields(made):
        name = field.metadata.get("shared", f"{prefix}.{field.name}")
        kind = kind_of(hints[field.name])
        is_there = name in params.lines
        default = params.value(name) if is_there else None
        value = paper.value(name) if name in paper.lines else None
        yield Key(name, texts[field.name], kind, default, is_there, None if kind.part else value)
        if kind.part is not None:
            yield from _below(name, kind.part, params, paper)


def field_texts(made: type[Any]) -> dict[str, Text]:
    """Field → what stands below it. Raises LookupError where nothing does, or not in the form."""
    found: dict[str, Text] = {}
    for base in reversed(made.__mro__[:-1]):
        node = _class_node(base)
        for field, below in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            where = f"{inspect.getsourcefile(base)}:{field.lineno}: {base.__name__}.{field.target.id}"
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = text_of(text, where)
                case _:
                    raise LookupError(f"{where}: no text below it; say in a sentence what it is")
    return found


def text_of(text: str, where: str) -> Text:
    """The parts of `What it is [unit]. More.`; raises LookupError for another form."""
    match = _TEXT.fullmatch(" ".join(text.split()))
    if match is None:
        raise LookupError(f"{where}: expected `What it is [unit]. More.`, got {text!r}")
    return Text(match["summary"], match["unit"] or "", match["more"] or "")


@cache
def _class_node(made: type[Any]) -> ast.ClassDef:
    module = ast.parse(Path(inspect.getsourcefile(made) or "").read_text(encoding="utf-8"))
    return next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == made.__name__)


@cache
def graph() -> dict[str, Any]:
    """The stages of dvc.yaml."""
    stages: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return stages


def run_again(name: str) -> list[str]:
    """The stages that dvc.yaml runs again where a key has changed, but for those that only follow them."""
    return [stage for stage, entry in graph().items() if _reads(entry, name)]


def _reads(entry: Mapping[str, Any], name: str) -> bool:
    named = entry.get("params", [])
    below = any(name == key or name.startswith(f"{key}.") for key in named)
    return below or f"${{{name}}}" in str({key: value for key, value in entry.items() if key != "params"})


def followers(stage: str) -> list[str]:
    """The stages after `stage` that take what it makes, directly or not, in order."""
    reached = {stage}
    for name, entry in graph().items():
        before = {other for other in reached if _makes(graph()[other]) & set(map(str, entry.get("deps", [])))}
        reached |= {name} if before else set()
    return [name for name in graph() if name in reached - {stage}]


def _makes(entry: Mapping[str, Any]) -> set[str]:
    listed = [*entry.get("outs", []), *entry.get("metrics", [])]
    return {next(iter(one)) if isinstance(one, Mapping) else str(one) for one in listed}
