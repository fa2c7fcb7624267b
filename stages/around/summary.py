"""`genreid summary`: what the last run came to."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from pipeline.artifacts import read_json_artifact
from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import load_params, section
from stages.shared.paths import Paths
from stages.shared.results import print_ranking


def summary() -> None:
    """Print the table of results, warm-up beside joint training, and where the pictures are."""
    root = find_root(Path.cwd())
    paths = section(load_params(root / "params.yaml"), "paths", Paths)
    if not (root / paths.metrics).exists():
        raise PipelineError(f"{paths.metrics} is missing: run `dvc repro` first")
    metrics = read_json_artifact(root / paths.metrics, "make it again with `dvc repro --force evaluate`")
    console = Console(highlight=False)
    print_ranking(console, metrics)
    typer.echo("Pictures:")
    for picture in sorted((root / paths.plots).glob("*/*.png")):
        typer.echo(f"  {picture.relative_to(root)}")
    typer.echo("Curves and pictures in a browser: dvc plots show --open")
