"""`genreid doctor`: whether the configured run can start, and what to do where it cannot."""

from __future__ import annotations

import typer

from stages.shared.options import Device, Workers

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


def doctor(device: Device = "auto", workers: Workers = 0) -> None:
    """Look over this machine for the run that params.yaml describes: what is there, what to do.

    Exit code 0 only when that run can start. A `note` is of something that it does without.

    Examples:

        genreid doctor

        genreid doctor --device cuda
    """
    from rich.markup import escape
    from rich.table import Table

    from stages.doctor.checks import Configuration, examine
    from stages.shared.run import Options, Project

    project = Project.open(Options(device=device, workers=workers))
    table = Table(title=escape(f"The run of {project.params.path}"), title_justify="left", show_lines=False)
    for column in ("", "what", "found", "to do"):
        table.add_column(column, overflow="fold")
    missing = []
    with project.console.status("looking"):
        for name, finding in examine(Configuration(project)):
            to_do = "" if finding.state == "ok" else finding.to_do
            table.add_row(_MARKS[finding.state], name, escape(finding.found), escape(to_do))
            if finding.state == "missing":
                missing.append(name)
    project.console.print(table)
    if missing:
        project.console.print(f"The configured run cannot start: {', '.join(missing)}.", markup=False)
        raise typer.Exit(1)
    project.console.print("The configured run can start: dvc repro", markup=False)
