"""`genreid summary`: what the last run came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import load_params, section
from stages._run import Paths

ENCODERS = {"warm_up": "warm-up", "joint": "joint training"}
UNDEFINED = "undefined"
"""The key of metrics.json that holds the reason why there is no figure of retrieval."""
FIGURES = {"mAP": "mAP", "rank_1": "rank-1", "rank_5": "rank-5", "rank_10": "rank-10", "mINP": "mINP"}


def summary() -> None:
    """Print the table of results, warm-up beside joint training, and where the pictures are."""
    root = find_root(Path.cwd())
    paths = section(load_params(root / "params.yaml"), "paths", Paths)
    try:
        metrics = json.loads((root / paths.metrics).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PipelineError(f"{paths.metrics} is missing: run `dvc repro` first") from None
    except json.JSONDecodeError as error:
        raise PipelineError(
            f"{paths.metrics}: no readable JSON ({error}); make it again with `dvc repro --force evaluate`"
        ) from None
    console = Console(highlight=False)
    print_ranking(console, metrics)
    typer.echo("Pictures:")
    for picture in sorted((root / paths.plots).glob("*/*.png")):
        typer.echo(f"  {picture.relative_to(root)}")
    typer.echo("Curves and pictures in a browser: dvc plots show --open")


def print_ranking(console: Console, metrics: Mapping[str, Any]) -> None:
    """The table of retrieval, or the reason why it has no figures."""
    if UNDEFINED in metrics:
        console.print(
            f"Retrieval: mAP and CMC are undefined: {metrics[UNDEFINED]}.", markup=False, soft_wrap=True
        )
    else:
        console.print(ranking_table(metrics))


def ranking_table(metrics: Mapping[str, Any]) -> Table:
    """A row an encoder, in percent, as the field prints them."""
    table = Table(title="Retrieval (%)", title_justify="left")
    table.add_column("encoder")
    for title in FIGURES.values():
        table.add_column(title, justify="right")
    for key, name in ENCODERS.items():
        table.add_row(name, *(f"{metrics[key][figure]:.1f}" for figure in FIGURES))
    return table
