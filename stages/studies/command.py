"""`genreid study`: arms compared over warm-ups and seeds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.errors import PipelineError
from pipeline.graph import find_root
from stages.shared.options import num_cores
from stages.studies.definition import Trial, load_study, study_names
from stages.studies.rows import CURVES, KEYS, RUNS, finished, runs_of, write_rows

if TYPE_CHECKING:
    from stages.studies.trials import Finished

study = typer.Typer(
    help="Compare arms of training over several warm-ups and seeds (docs/studies.md).", no_args_is_help=True
)
_FOLDER = Path(".genreid/studies")


class Split(StrEnum):
    """Whom the trials are scored on. The test identities only once, when nothing is chosen any more."""

    val = "val"
    test = "test"


def _complete_study(incomplete: str) -> list[str]:
    try:
        names = study_names(find_root(Path.cwd()))
    except PipelineError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _complete_arm(ctx: typer.Context, incomplete: str) -> list[str]:
    try:
        arms = load_study(find_root(Path.cwd()), ctx.params.get("name") or "").arms
    except PipelineError:
        return []
    return [name for name in arms if name.startswith(incomplete)]


Name = Annotated[
    str, typer.Argument(help="A file of recipes/studies/, without .yaml.", autocompletion=_complete_study)
]
Arms = Annotated[
    list[str] | None,
    typer.Option("--arm", help="This arm only; may be given again.", autocompletion=_complete_arm),
]


@study.command()
def run(
    name: Name,
    arm: Arms = None,
    warm_up: Annotated[
        list[int] | None,
        typer.Option("--warm-up", help="This warm-up only, by its number; may be given again."),
    ] = None,
    split: Annotated[Split, typer.Option(help="Identities that the trials are scored on.")] = Split.val,
    jobs: Annotated[int, typer.Option(min=1, help="Trials at a time, each with its share of the cores.")] = 1,
    limit: Annotated[int, typer.Option(min=0, help="Stop after so many trials; 0: all.")] = 0,
    show: Annotated[bool, typer.Option("--list", help="Only list the trials and which are done.")] = False,
    commit: Annotated[bool, typer.Option("--commit", help="Commit each row when its trial ends.")] = False,
) -> None:
    """Run the trials that have no row in docs/study/runs.csv yet, each as a `dvc exp` of its own."""
    root = find_root(Path.cwd())
    study = load_study(root, name)
    if study.period:
        raise PipelineError(
            f"study {name} is closed, its rows are those of {study.period} in {runs_of(study.period)}: "
            "run one of recipes/studies/*.yaml, or write its tables again by `genreid study report`"
        )
    trials = study.trials(split, arm or [], warm_up or [])
    done = finished(root)
    if show:
        _show(trials, done)
        return
    open_trials = [trial for trial in trials if trial.key not in done]
    typer.echo(f"{len(trials)} trials, {len(trials) - len(open_trials)} of them have a row")
    failed = _run(root, open_trials[: limit or None], jobs, commit=commit)
    if failed:
        raise PipelineError(
            f"{len(failed)} trials failed: {', '.join(failed)}; run the study again for those"
        )


@study.command()
def report(
    name: Name,
    split: Annotated[Split, typer.Option(help="Identities that the trials were scored on.")] = Split.val,
) -> None:
    """Write the study's table and picture into docs/study/NAME.md, from its rows in docs/study."""
    from stages.studies.report import write_report

    root = find_root(Path.cwd())
    for path in write_report(root, load_study(root, name), split):
        typer.echo(f"wrote {path.relative_to(root)}")


def _show(trials: list[Trial], done: set[tuple[str, ...]]) -> None:
    table = Table(title="Trials", title_justify="left")
    for column in ("trial", "arm", "done"):
        table.add_column(column, overflow="fold")
    for trial in trials:
        table.add_row(trial.name, trial.arm.about, "yes" if trial.key in done else "")
    Console(highlight=False).print(table)


def _run(root: Path, trials: list[Trial], jobs: int, *, commit: bool) -> list[str]:
    """Run the trials, write their rows, and commit them if asked; the names of those that failed."""
    from pipeline.tracking import Bars
    from stages.shared.outputs import prepare_clone
    from stages.studies.trials import Slot, commit_rows, run_trials

    threads = max(1, num_cores() // jobs)
    slots = [Slot(root, root / _FOLDER / f"slot-{n}", threads) for n in range(min(jobs, len(trials)))]
    for slot in slots:
        slot.prepare()
        prepare_clone(slot.folder)
    failed, bars = [], Bars()
    for trial, outcome in bars.track(run_trials(trials, slots), "trials", total=len(trials)):
        if isinstance(outcome, Exception):
            failed.append(trial.name)
            bars.say(f"error: {outcome}")
        else:
            keep(root, trial, outcome)
            if commit:
                commit_rows(root, trial)
            bars.say(f"{trial.name}: mAP {outcome.columns['joint.mAP']:.4g}")
    return failed


def keep(root: Path, trial: Trial, outcome: Finished) -> None:
    """Write what a trial came to. The row comes last: a trial that has it is not run again.

    Columns of a curve are named CURVE.NAME: an encoder has the name `warm_up` too.
    """
    key = dict(zip(KEYS, trial.key, strict=True))
    for curve, points in outcome.curves.items():
        named = [{f"{curve}.{name}": value for name, value in point.items()} for point in points]
        write_rows(root / CURVES / f"{curve}.csv", [key | point for point in named])
    write_rows(root / RUNS, [key | dict(outcome.columns)])
