"""`genreid set`: one value of params.yaml, explained or changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import Params, load_params, nearest
from pipeline.recipes import write_overrides

SCHEMA = "params.schema.json"
"""What each key may hold. `genreid init` writes it beside params.yaml, and editors read it too."""


def _keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted name and schema of every key that holds a value, in the file's order."""
    for name, below in schema.get("properties", {}).items():
        if "properties" in below and "null" not in below.get(
            "type", ()
        ):  # a part that may be null is a value
            yield from _keys(below, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", below


def _schema(root: Path) -> dict[str, Mapping[str, Any]]:
    """Key → its schema. Raises PipelineError where the project has none, or one that cannot be read."""
    path = root / SCHEMA
    try:
        return dict(_keys(json.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        raise PipelineError(
            f"{SCHEMA} is missing: `genreid init` in an empty folder writes one to copy here"
        ) from None
    except (ValueError, AttributeError):
        raise PipelineError(f"{SCHEMA}: no JSON schema; take the file of `genreid init`") from None


def _complete_key(incomplete: str) -> list[str]:
    try:
        keys = _schema(find_root(Path.cwd()))
    except PipelineError:
        return []
    return [key for key in keys if key.startswith(incomplete)]


def _complete_value(context: typer.Context, incomplete: str) -> list[str]:
    try:
        told = _schema(find_root(Path.cwd())).get(context.params.get("key") or "", {})
    except PipelineError:
        return []
    return [value for value in _words(told) if value.startswith(incomplete)]


def _words(told: Mapping[str, Any]) -> list[str]:
    """The values of a key that has few: of a choice or a switch, and null."""
    listed = [str(value) if value is not None else "null" for value in told.get("enum", ())]
    kinds = told.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    listed += ["true", "false"] if "boolean" in kinds else []
    return listed + (["null"] if "null" in kinds else [])


def set_value(
    key: Annotated[str, typer.Argument(help="A key of params.yaml, dotted.", autocompletion=_complete_key)],
    value: Annotated[
        str | None,
        typer.Argument(
            help="Its new value, as in YAML. Without it, tell what the key is.",
            autocompletion=_complete_value,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Change one value of params.yaml, whose comments stay, or tell what a key is.

    Tab completes keys and values (`genreid --install-completion`). A value that its stage would refuse is
    refused here, and nothing is written.

    Examples:

        genreid set train_joint.epochs

        genreid set train_joint.epochs 20
    """
    root = find_root(Path.cwd())
    params, schema = load_params(root / "params.yaml"), _schema(root)
    if key not in schema:
        raise PipelineError(f"no key '{key}'{nearest(key, list(schema))}")
    before = params.value(key)
    if value is None:
        typer.echo(f"{key}: {_shown(before)}")
        typer.echo(_told(schema[key]))
        return
    after = _parsed(key, value)
    _require(_with(params, key, after), key)
    write_overrides(params.path, {key: after})
    typer.echo(f"{key}: {_shown(before)} -> {_shown(after)}")
    for line in _conflicts(load_params(params.path)):
        typer.echo(f"now look at: {line}", err=True)


def _parsed(key: str, text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise PipelineError(f"{key}: {text!r} is no value of YAML; quote it, as in '\"…\"'") from None


def _with(params: Params, key: str, value: Any) -> Params:
    """The params as they would be."""

    def changed(values: Mapping[str, Any], parts: list[str]) -> dict[str, Any]:
        first, *rest = parts
        return {**values, first: changed(values[first], rest) if rest else value}

    return Params(params.path, changed(params.values, key.split(".")), params.lines)


def _require(params: Params, key: str) -> None:
    """Raises PipelineError where a section is wrong that is read from `key`."""
    from pipeline.params import section, shared_keys
    from stages.shared.paths import Paths
    from stages.shared.sections import stage_settings

    classes: dict[str, type[Any]] = {"paths": Paths, **stage_settings()}
    for name, made in classes.items():
        if name == key.partition(".")[0] or any(f"{key}.".startswith(f"{one}.") for one in shared_keys(made)):
            section(params, name, made)


def _conflicts(params: Params) -> Iterator[str]:
    """What stops a run now: of two keys that do not go together one is changed first."""
    from stages.shared.sections import require_all

    try:
        require_all(params)
    except PipelineError as error:
        yield str(error)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def _told(schema: Mapping[str, Any]) -> str:
    """What the key is, its values and its default, a line each."""
    lines = [schema.get("description", "")]
    if words := _words(schema):
        lines.append(f"values: {', '.join(words)}")
    limits = (
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
    )
    if found := [f"{words} {schema[name]:,}" for name, words in limits if name in schema]:
        lines.append(f"values: {', '.join(found)}")
    if "default" in schema:
        lines.append(f"default: {_shown(schema['default'])}")
    return "\n".join(lines)
