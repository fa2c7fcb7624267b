"""params.yaml, read strictly: a section becomes the frozen settings class that its consumer declares.

Values live in params.yaml alone, so settings classes have no defaults: a missing key is an error, an
unknown one is refused with the nearest known one, and every message names the file and the line. The
range of a number stands in its annotation (`Annotated[float, Gt(0)]`, of annotated-types); without one it
is anything from 0 to a million. What several stages must agree on stands once, outside their sections: a
field's metadata `shared` names its dotted key.
"""

from __future__ import annotations

import difflib
import math
import operator
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from annotated_types import Ge, GroupedMetadata, Gt, Interval, Le, Lt, MultipleOf

from pipeline.errors import PipelineError

T = TypeVar("T")

_LONGEST_SHOWN = 80  # characters
_LONGEST_TEXT = 1000
_LARGEST = 1_000_000

_BOUNDS: dict[Any, tuple[str, Callable[[Any, Any], bool], str]] = {
    Ge: ("ge", operator.ge, "at least"),
    Gt: ("gt", operator.gt, "more than"),
    Le: ("le", operator.le, "at most"),
    Lt: ("lt", operator.lt, "less than"),
    MultipleOf: ("multiple_of", lambda value, of: value % of == 0, "a multiple of"),
}
"""Of each kind of bound: its attribute, whether a value keeps it, and how it is said."""


@dataclass(frozen=True)
class Params:
    """A YAML file of nested mappings: plain `values`, and the line of every dotted key in `lines`."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def place(self, key: str) -> str:
        """`params.yaml:12: train_joint.lr`, as messages begin; the line is the nearest known one's."""
        known = key
        while known and known not in self.lines:
            known = known.rpartition(".")[0]
        line = f":{self.lines[known]}" if known else ""
        return f"{self.path.name}{line}: {key}"

    def value(self, key: str) -> Any:
        """The plain value at a dotted key; raises PipelineError where there is none."""
        value: Any = self.values
        done = ""
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                here = f"in '{done}'" if done else f"at the top of {self.path.name}"
                hint = nearest(part, value) if isinstance(value, Mapping) else ""
                raise PipelineError(f"{self.place(key)}: no key '{part}' {here}{hint}")
            value, done = value[part], f"{done}.{part}".lstrip(".")
        return value


def load_params(path: Path) -> Params:
    """Read a YAML file of nested mappings; raises PipelineError where it is none."""
    from ruamel.yaml import YAML

    text = _text_of(path)
    try:
        tree = YAML(typ="safe", pure=True).compose(text)
        if twice := _second_visit(tree, set()):
            raise PipelineError(f"{path.name}:{twice}: aliases (*name) are not read: write the value out")
        values = YAML(typ="safe", pure=True).load(text) or {}
        if not isinstance(values, dict):
            raise PipelineError(f"{path.name}: expected sections of keys, got {type(values).__name__}")
        return Params(path, values, dict(_key_lines(tree)))
    except PipelineError:
        raise
    except RecursionError:
        raise PipelineError(f"{path.name}: nested too deep, or in itself; write its values out") from None
    except Exception as error:  # of text that is no YAML the parser may raise anything
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise PipelineError(
            f"{path.name}{line}: not valid YAML: {_problem(error)}; mend that place"
        ) from None


def _text_of(path: Path) -> str:
    """What the file says; raises PipelineError where it cannot be read, or is no UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")  # some editors begin a file with its encoding
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PipelineError(
            f"{path.name}:{line}: not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise PipelineError(
            f"{path}: cannot be read ({error.strerror}); is this the project's folder?"
        ) from None


def _problem(error: Exception) -> str:
    """The parser's reason in one line."""
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    return _cut(" ".join(str(problem).split()))


def shown(value: object) -> str:
    """A value of params.yaml as messages show it: as Python writes it, and no longer than a line takes."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "an integer of thousands of digits"
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text):,} characters)"


def _name(key: object) -> str:
    """A key as messages show it; YAML has keys that are no words."""
    return _cut(key) if isinstance(key, str) and key.isprintable() else shown(key)


def _second_visit(node: Any, seen: set[int]) -> int | None:
    """The line of a node that stands in two places of a tree. A few aliases of aliases stand for billions of
    values, which would fill the memory wherever they are written out.
    """
    if id(node) in seen:
        return int(node.start_mark.line) + 1
    seen.add(id(node))
    kind, children = getattr(node, "id", None), getattr(node, "value", ())
    below = [one for pair in children for one in pair] if kind == "mapping" else children
    found = (_second_visit(one, seen) for one in below) if kind in ("mapping", "sequence") else ()
    return next((line for line in found if line), None)


def _key_lines(node: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """The dotted name and the line of every key in a tree of YAML nodes."""
    if getattr(node, "id", None) == "mapping":
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            yield name, key.start_mark.line + 1
            yield from _key_lines(value, f"{name}.")


def section(params: Params, name: str, settings_class: type[T]) -> T:
    """The section `name` (dotted: a part of one) as an instance of `settings_class`.

    Types it knows: bool, int, float, str, Annotated, Literal, X | None, tuple, Mapping (taken as it is) and
    nested dataclasses. A ValueError of the class's own `__post_init__` is told with its place: that of a
    field, where the message begins with the field's name.
    Raises PipelineError for a missing, unknown or impossible value.
    """
    return _settings(params, name, params.value(name), settings_class)


def _settings(params: Params, place: str, raw: Any, settings_class: type[T]) -> T:
    assert is_dataclass(settings_class)
    if not isinstance(raw, Mapping):
        raise PipelineError(f"{params.place(place)}: expected keys and values, got {shown(raw)}")
    places = {field.name: _shared(field) or f"{place}.{field.name}" for field in fields(settings_class)}
    known = [field.name for field in fields(settings_class) if _shared(field) is None]
    for key in raw:
        if key not in known:
            name = _name(key)
            hint = f"; stages share it: set {places[key]}" if key in places else nearest(name, known)
            raise PipelineError(f"{params.place(f'{place}.{name}')}: unknown key{hint}")
    if missing := [key for key in known if key not in raw]:
        raise PipelineError(
            f"{params.place(place)}: missing {', '.join(missing)}; add it to {params.path.name}"
        )
    hints = typing.get_type_hints(settings_class, include_extras=True)
    values = {
        name: _convert(params, at, raw[name] if name in known else params.value(at), hints[name])
        for name, at in places.items()
    }
    try:
        return settings_class(**values)
    except ValueError as error:
        field = str(error).partition(" ")[0].rstrip(":")
        at = params.place(places[field]) if field in places else f"{params.place(place)}: {field}"
        raise PipelineError(at + str(error).removeprefix(field)) from error


def _shared(field: Field[Any]) -> str | None:
    """The dotted key where a field's value stands that several sections have; None for a section's own."""
    return field.metadata.get("shared")


def refuse_unknown(params: Params, classes: Mapping[str, type[Any]]) -> None:
    """Raises PipelineError for a key that stands outside the sections of these classes and that none of them
    is read from."""
    shared = [key for settings_class in classes.values() for key in shared_keys(settings_class)]
    known: dict[str, list[str]] = {"": list(classes)}
    for key in shared:
        above, _, name = key.rpartition(".")
        known[""].append(key.partition(".")[0])
        known.setdefault(above, []).append(name)
    for above, names in known.items():
        found = params.value(above) if above else params.values
        if not isinstance(found, Mapping):
            raise PipelineError(f"{params.place(above)}: expected keys and values, got {shown(found)}")
        for key in found:
            if key not in names:
                name = _name(key)
                at = params.place(f"{above}.{name}".lstrip("."))
                raise PipelineError(f"{at}: unknown key{nearest(name, names)}")


def shared_keys(settings_class: type[Any]) -> list[str]:
    """The dotted keys outside its own section that a settings class, or a part of it, is read from."""
    hints = typing.get_type_hints(settings_class)
    found: list[str] = []
    for field in fields(settings_class):
        if key := _shared(field):
            found.append(key)
        elif is_dataclass(hints[field.name]):
            found += shared_keys(hints[field.name])
    return found


def _convert(params: Params, place: str, raw: Any, hint: Any) -> Any:
    """`raw` as the type `hint`, never guessing: "3" is no number, 3.0 no integer, 1 no truth value."""
    bounds: Sequence[Any] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *bounds = typing.get_args(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        return _settings(params, place, raw, typing.cast(type, hint))
    if origin in (Union, types.UnionType) and type(None) in arguments:
        others = [argument for argument in arguments if argument is not type(None)]
        assert len(others) == 1, f"{place}: X | None is the only union that params know, not {hint}"
        return None if raw is None else _convert(params, place, raw, others[0])
    if origin is Literal:
        if raw in arguments and type(raw) is type(arguments[arguments.index(raw)]):
            return raw
        choices = ", ".join(repr(choice) for choice in arguments)
        closest = nearest(shown(raw), [str(choice) for choice in arguments])
        raise PipelineError(f"{params.place(place)}: expected one of {choices}, got {shown(raw)}{closest}")
    if origin is tuple:
        return _convert_tuple(params, place, raw, arguments)
    if hint is Mapping or origin is Mapping:
        if isinstance(raw, Mapping):
            return raw
    elif hint is float:
        if isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < math.inf:
            return float(_in_range(params, place, raw, bounds))
    elif hint in (int, bool, str):
        if type(raw) is hint:
            if hint is str:
                return _text(params, place, raw)
            return _in_range(params, place, raw, bounds) if hint is int else raw
    else:
        raise AssertionError(f"{place}: params know no type {hint}")
    expected = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}.get(
        hint, "keys and values"
    )
    raise PipelineError(f"{params.place(place)}: expected {expected}, got {shown(raw)}")


def _text(params: Params, place: str, raw: str) -> str:
    """A word, a path or a pattern: no file's name, nor anything to be printed, has other characters."""
    if len(raw) > _LONGEST_TEXT or not raw.isprintable():
        wanted = f"at most {_LONGEST_TEXT:,} printable characters"
        raise PipelineError(f"{params.place(place)}: expected {wanted}, got {shown(raw)}")
    return raw


def _in_range(params: Params, place: str, value: Any, bounds: Sequence[Any]) -> Any:
    """The number itself, which has to keep its annotation's bounds."""
    is_kept, expected = True, []
    for bound in bounds or [Interval(ge=0, le=_LARGEST)]:
        for simple in bound if isinstance(bound, GroupedMetadata) else [bound]:
            name, keeps, said = _BOUNDS[type(simple)]
            limit = getattr(simple, name)
            is_kept &= keeps(value, limit)
            expected.append(f"{said} {_number(limit)}")
    if not is_kept:
        wanted = " and ".join(expected)
        raise PipelineError(
            f"{params.place(place)} is {_number(value)}: expected {wanted}; set it so in {params.path.name}"
        )
    return value


def _number(value: int | float) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)


def _convert_tuple(params: Params, place: str, raw: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise PipelineError(f"{params.place(place)}: expected a list, got {shown(raw)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(raw)
    if len(raw) != len(arguments):
        raise PipelineError(
            f"{params.place(place)}: expected {len(arguments)} values, got {len(raw)}: {shown(raw)}"
        )
    return tuple(
        _convert(params, f"{place}.{i}", item, hint)
        for i, (item, hint) in enumerate(zip(raw, arguments, strict=True))
    )


def nearest(key: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """`; did you mean 'lr'?`: the nearest of the known keys, however far it is."""
    matches = difflib.get_close_matches(key, [str(name) for name in known], n=1, cutoff=0.0)
    return f"; did you mean '{matches[0]}'?" if matches else ""
