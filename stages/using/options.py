"""Options that several of these commands have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from datetime import datetime

    from genreid.deployment.where import Where

DEFAULT_OUTPUT = Path("embeddings.parquet")
INDEX_FROM = 200_000
"""Images from which on a database gets an index: the exact search among fewer takes less time than the
command takes to begin."""

GalleryPlace = Annotated[
    Path,
    typer.Option(
        "--gallery", "-g", help="A table that `genreid embed` wrote: a Parquet file, or lance:FOLDER."
    ),
]
CameraPattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Finds the camera in an image's path, as its group (?P<camera>…). In a Parquet file the mean of "
        "each camera's images is then taken off; in a database, to which images may come later, it is not.",
        show_default=False,
    ),
]
TimePattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Finds an image's time in its path, as its group (?P<time>…): a date, a date and a time of day, "
        "or Unix seconds.",
        show_default=False,
    ),
]
Cameras = Annotated[
    list[str] | None,
    typer.Option("--camera", help="Only images of this camera; may be given more than once."),
]
After = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only images of this time or later: 2024-01-31, or 2024-01-31T10:15."),
]
Before = Annotated[str | None, typer.Option(metavar="TIME", help="Only images of an earlier time than this.")]


def where_of(
    cameras: list[str] | None, after: str | None, before: str | None, paths: list[str] | None = None
) -> Where:
    """Which images the options ask for. Raises PipelineError for what is no time."""
    from genreid.deployment.where import Where

    bounds = [_time("--after", after), _time("--before", before)]
    return Where(tuple(paths or ()), tuple(cameras or ()), *bounds)


def _time(option: str, text: str | None) -> datetime | None:
    from genreid.deployment.times import FORMS, parse_time

    if text is not None and (time := parse_time(text)) is None:
        raise PipelineError(f"{option}: '{text}' is no time: write one such as {FORMS}")
    return time if text is not None else None
