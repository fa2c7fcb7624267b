"""`genreid report`: one page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.shared.options import Device, ShowProgress, Workers

_MB = 1_000_000


def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path(
        "report.html"
    ),
    against: Annotated[
        str | None,
        typer.Option(
            metavar="EXPERIMENT",
            help="Put this run beside another: an experiment of `dvc exp show`, or a commit that has its "
            "metrics.json.",
            show_default=False,
        ),
    ] = None,
    photographs: Annotated[
        bool,
        typer.Option(
            "--photographs/--no-photographs", help="Show images of the data set, and what is made of them."
        ),
    ] = True,
    embed: Annotated[
        bool,
        typer.Option(
            "--embed/--no-embed",
            help="Embed the images again for ranked lists and clusters; without them the page takes seconds.",
        ),
    ] = True,
    max_mb: Annotated[
        float,
        typer.Option(
            min=0.1, max=500, help="The largest that the file may be, in MB; pictures are left out for it."
        ),
    ] = 8.0,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Write what the last run came to as one HTML file: figures, settings, curves, pictures, warnings.

    The file needs no server and no network. Beside the tables it has generated views, the best and worst
    ranked lists, the queries that joint training changed most, the clusters of pseudo-labels with a filter,
    and the bodies. What a run has not left is left out, and named.

    Examples:

        genreid report

        genreid report --against brave-lion --output brave-lion.html

        genreid report --no-photographs --max-mb 2
    """
    from pipeline.artifacts import write_bytes
    from pipeline.errors import PipelineError
    from stages.shared.run import Options, Project
    from stages.using.pictures import check_output
    from stages.using.report.contents import contents_of
    from stages.using.report.gathering import gather
    from stages.using.report.page import render

    project = Project.open(Options(device=device, workers=workers, progress=progress))
    check_output(project, output, "report", is_page)
    if output.suffix.lower() not in (".html", ".htm"):
        raise PipelineError(f"{output}: a page's name ends in .html")
    gathered = gather(project, against)
    contents = contents_of(project, gathered, photographs=photographs, embed=embed)
    page, left_out = render(contents, int(max_mb * _MB))
    write_bytes(output, page.encode())
    for what, reason in gathered.missing.items():
        project.console.print(f"left out: {what}: {reason}", markup=False, soft_wrap=True)
    if left_out:
        line = f"left out: {left_out} pictures, which found no room; give --max-mb more"
        project.console.print(line, markup=False, soft_wrap=True)
    size = output.stat().st_size / _MB
    project.console.print(f"report: {output} ({size:.1f} MB)", markup=False, soft_wrap=True)


def is_page(path: Path) -> bool:
    """Whether an HTML file was written by this command."""
    from stages.using.report.page import BEGINNING

    with path.open("rb") as file:
        return file.read(len(BEGINNING.encode())) == BEGINNING.encode()
