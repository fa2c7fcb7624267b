"""`genreid init`: a project, and settings for a folder of crops."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PipelineError
from stages.shared.options import Device, ShowProgress, Workers

if TYPE_CHECKING:
    from stages.starting.proposal import Proposed

_RECIPES = "recipes/"


def _complete_recipe(incomplete: str) -> list[str]:
    from stages.starting.templates import templates

    tops = [name.removeprefix(_RECIPES) for name in templates() if name.startswith(_RECIPES)]
    names = sorted(name.removesuffix(".yaml") for name in tops if "/" not in name)
    return [name for name in names if name.startswith(incomplete)]


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made where there is none.")] = Path(),
    crops: Annotated[
        Path | None,
        typer.Option(help="Look at this folder of person crops, and set what fits it.", show_default=False),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The recipe to begin with, in place of that for this machine.",
            autocompletion=_complete_recipe,
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="How the crops' paths name camera and person: prepare_data.folder.train (docs/datasets.md).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say all of it, and write nothing.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="In a project that is there: write the settings into its params.yaml."),
    ] = False,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Make a project: dvc.yaml, params.yaml and the recipes, git and DVC begun. Nothing is written over.

    With --crops it looks at a folder of crops first, says what it found and what it will set, each with its
    reason, and how long a run will take here.

    Examples:

        genreid init reid

        genreid init reid --crops /data/crops --dry-run

        genreid init reid --crops /data/crops
    """
    from stages.starting.templates import templates

    if crops is None and (force or recipe or pattern):
        raise PipelineError("--force, --recipe and --pattern are for --crops; name the folder of the crops")
    files = templates()
    is_there = force and (folder / "params.yaml").is_file()
    if not is_there:
        _require_free(folder, files, with_crops=crops is not None)
    proposed: list[Proposed] = []
    if crops is not None:
        from stages.starting.first_look import FirstLook

        look = FirstLook(folder, files, is_there, device=device, workers=workers, progress=progress)
        proposed = look.tell(crops, recipe, pattern)
    if dry_run:
        typer.echo("Nothing was written (--dry-run).")
        return
    _write(folder, files, proposed, is_there=is_there)
    _tell_next(folder, proposed)


def _require_free(folder: Path, files: Mapping[str, bytes], *, with_crops: bool) -> None:
    """Before a long look: raises PipelineError where the project cannot be made."""
    from stages.starting.project import require_free

    try:
        require_free(folder, files)
    except PipelineError as error:
        if with_crops and (folder / "params.yaml").is_file():
            raise PipelineError(f"{error}, or write the settings alone into params.yaml by --force") from None
        raise


def _write(folder: Path, files: Mapping[str, bytes], proposed: list[Proposed], *, is_there: bool) -> None:
    from pipeline.recipes import write_overrides
    from stages.starting.project import Made, commit, committed_names, make_project
    from stages.starting.version import version

    made = Made() if is_there else make_project(folder, files)
    lines = made.lines
    if proposed:
        write_overrides(folder / "params.yaml", {one.key: one.value for one in proposed})
        lines.append(f"params.yaml: {len(proposed)} settings written")
    if made.began_git:
        lines.append(commit(folder, committed_names(files), f"A project of genreid {version()}"))
    typer.echo(f"{folder.absolute()}:")
    for line in lines:
        typer.echo(f"  {line}")


def _tell_next(folder: Path, proposed: list[Proposed]) -> None:
    """The commands that come next."""
    values = {one.key: one.value for one in proposed}
    names = _model_names(values)
    commands = [
        *([f"cd {shlex.quote(str(folder))}"] if folder.resolve() != Path.cwd() else []),
        *([f"genreid models get {' '.join(names)}"] if names else []),
        "genreid doctor",
        "dvc repro",
    ]
    typer.echo("Next:")
    for command in commands:
        typer.echo(f"  {command}")


def _model_names(values: Mapping[str, object]) -> list[str]:
    """The files of weights that the settings ask for, and that anyone may fetch."""
    from genreid.zoo.table import NAMES

    wanted = [values.get("pretrain_encoder.encoder.pretrained")]
    if values.get("mesh_extract.estimator") == "blazepose":
        wanted.insert(0, f"blazepose_{values.get('mesh_extract.blazepose.size', 'heavy')}")
    return [str(name) for name in wanted if name in NAMES]
