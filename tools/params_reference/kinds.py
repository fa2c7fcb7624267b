"""What values a key takes, read from the annotation of its field as `pipeline.params` reads it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, GroupedMetadata, Gt, Interval, Le, Lt, MultipleOf

from genreid.ranges import MOST

LONGEST_TEXT = 1000
"""Characters of a word, a path or a pattern, as `pipeline.params` has it."""

_LIMITS = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt", MultipleOf: "multiple_of"}


@dataclass(frozen=True)
class Kind:
    """Values that a key takes.

    name: of Python's type; `choice`, `list` or `part`. limits: of a number, by the names of annotated-types.
    choices: of a choice. item: of a list. part: the settings class of a part. is_optional: null too.
    """

    name: Literal["bool", "int", "float", "str", "choice", "list", "part"]
    limits: Mapping[str, float] | None = None
    choices: tuple[Any, ...] = ()
    item: Kind | None = None
    part: type[Any] | None = None
    is_optional: bool = False


def kind_of(hint: Any) -> Kind:
    """The values of a field with that annotation. Raises LookupError for a type that it has no words for."""
    bounds: Sequence[Any] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *bounds = typing.get_args(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        return Kind("part", part=typing.cast(type, hint))
    if origin in (Union, types.UnionType):
        (inner,) = (kind_of(one) for one in arguments if one is not type(None))
        return Kind(inner.name, inner.limits, inner.choices, inner.item, inner.part, is_optional=True)
    if origin is Literal:
        return Kind("choice", choices=arguments)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return Kind("list", item=kind_of(arguments[0]))
    match hint:
        case type() if hint in (bool, str):
            return Kind("bool" if hint is bool else "str")
        case type() if hint in (int, float):
            return Kind("int" if hint is int else "float", limits=dict(_limits(bounds)))
    raise LookupError(f"no words for settings of type {hint}; add it to tools/params_reference/kinds.py")


def _limits(bounds: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for bound in bounds or [Interval(ge=0, le=MOST)]:
        for simple in bound if isinstance(bound, GroupedMetadata) else [bound]:
            name = _LIMITS[type(simple)]
            yield name, getattr(simple, name)


def values(kind: Kind, *, is_whole: bool = True) -> str:
    """The values in words. is_whole: with the upper limit of a million that all numbers have."""
    said = _values(kind, is_whole)
    return f"null or {said or 'text'}" if kind.is_optional else said


def _values(kind: Kind, is_whole: bool) -> str:
    if kind.name == "bool":
        return "true or false"
    if kind.name == "choice":
        *first, last = map(str, kind.choices)
        return f"{', '.join(first)} or {last}" if first else last
    if kind.name == "list":
        assert kind.item is not None
        inner = _values(kind.item, is_whole)
        return f"a list of {inner.replace(' or ', ', ')}" if kind.item.name == "choice" else f"each {inner}"
    if kind.part is not None:
        return f"{{{', '.join(field.name for field in fields(kind.part))}}}"
    return _number(kind.limits, is_whole) if kind.limits is not None else ""


def _number(limits: Mapping[str, float], is_whole: bool) -> str:
    """`1 or more`, `0 to 1`, `more than 0, less than 1`."""
    limits = dict(limits)
    if limits.get("le") == MOST and not is_whole:
        del limits["le"]
    low, high = limits.get("ge"), limits.get("le")
    if low is not None and high is not None:
        said = [f"{low:,} to {high:,}"]
    else:
        said = [f"{low:,} or more"] if low is not None else []
        said += [f"more than {limits['gt']:,}"] if "gt" in limits else []
        said += [f"at most {high:,}"] if high is not None else []
    said += [f"less than {limits['lt']:,}"] if "lt" in limits else []
    said += [f"a multiple of {limits['multiple_of']:,}"] if "multiple_of" in limits else []
    return ", ".join(said)
