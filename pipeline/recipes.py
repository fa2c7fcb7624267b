"""Recipes: files of differences from params.yaml for a purpose (a smoke run, a data set).

`dvc exp run $(genreid overrides smoke)` applies one for an experiment; `write_overrides` writes one into
params.yaml for good.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import atomic_write
from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, nearest

_BARE_WORD = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_OTHER_MEANING = re.compile(r"(?i)true|false|null|nan|inf")


def recipe_names(folder: Path) -> list[str]:
    """The recipes in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_overrides(params: Params, folder: Path, name: str) -> dict[str, Any]:
    """The recipe `name` as {dotted key: value}, in the file's order.

    Raises PipelineError for a recipe that does not exist and for a key that params.yaml lacks.
    """
    path = folder / f"{name}.yaml"
    if not path.exists():
        names = recipe_names(folder)
        known = ", ".join(names) or "none"
        raise PipelineError(
            f"no recipe '{name}' in {folder.name}/ (there are: {known}){nearest(name, names)}"
        )
    recipe = load_params(path)
    return dict(_differences(params, recipe, recipe.values, ""))


def _differences(
    params: Params, recipe: Params, values: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        try:
            present = params.value(name)
        except PipelineError as error:
            raise PipelineError(
                f"{recipe.place(name)}: {params.path.name} has no such key ({error})"
            ) from None
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            yield from _differences(params, recipe, value, f"{name}.")
        else:
            yield name, value


def as_arguments(overrides: Mapping[str, Any]) -> list[str]:
    """`-S key=value` pairs for `dvc exp run`, in Hydra's quoting and with no blank inside.

    The shell splits what a command substitution prints at every blank and honours no quotes there, so a
    value that holds one is refused.
    """
    arguments = []
    for key, value in overrides.items():
        text = _hydra(value)
        if re.search(r"\s", text):
            raise PipelineError(
                f"{key}: a value with a blank ({text}) cannot pass through the shell; use --write"
            )
        arguments += ["-S", f"{key}={text}"]
    return arguments


def _hydra(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(_hydra(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_hydra(item)}" for key, item in value.items()) + "}"
    text = str(value)
    if _BARE_WORD.fullmatch(text) and not _OTHER_MEANING.fullmatch(text):
        return text
    # A backslash is one, but before a quote, where Hydra wants two.
    return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + m[2].replace("'", r"\'"), text) + "'"


def write_overrides(path: Path, overrides: Mapping[str, Any]) -> None:
    """Write the values into params.yaml at `path`; its comments, its order and its style stay."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedSeq

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    null = "tag:yaml.org,2002:null"
    yaml.representer.add_representer(type(None), lambda r, _: r.represent_scalar(null, "null"))
    document = yaml.load(path)
    for key, value in overrides.items():
        *parents, last = key.split(".")
        place = document
        for parent in parents:
            place = place[parent]
        if isinstance(value, list):
            value = CommentedSeq(value)
            value.fa.set_flow_style()
        place[last] = value
    with atomic_write(path) as temporary:
        yaml.dump(document, temporary)
