"""`genreid overrides`: a recipe as arguments for `dvc exp run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import load_params
from pipeline.recipes import as_arguments, load_overrides, recipe_names, write_overrides


def _complete(incomplete: str) -> list[str]:
    try:
        names = recipe_names(find_root(Path.cwd()) / "recipes")
    except PipelineError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def overrides(
    recipe: Annotated[
        str, typer.Argument(help="A file of recipes/, without .yaml.", autocompletion=_complete)
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Write the values into params.yaml instead.")
    ] = False,
) -> None:
    """Print a recipe as -S key=value arguments: dvc exp run $(genreid overrides smoke)."""
    root = find_root(Path.cwd())
    params = load_params(root / "params.yaml")
    values = load_overrides(params, root / "recipes", recipe)
    if write:
        write_overrides(params.path, values)
    else:
        typer.echo(" ".join(as_arguments(values)))
