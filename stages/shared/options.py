"""The options that every stage has. None of them changes a result, so none of them is a param."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """Who makes the pieces of work that looks at images one by one."""

    local = "local"
    ray = "ray"


Fresh = Annotated[bool, typer.Option("--fresh", help="Ignore what an interrupted run has kept.")]
Device = Annotated[
    str,
    typer.Option(envvar="GENREID_DEVICE", help="cpu, cuda, cuda:1, mps …; auto: a GPU if there is one."),
]
Workers = Annotated[
    int,
    typer.Option(
        envvar="GENREID_WORKERS", min=0, help="Processes or threads beside the main one; 0: one a core."
    ),
]
NumRanks = Annotated[
    int,
    typer.Option(
        "--ranks",
        envvar="GENREID_RANKS",
        min=1,
        help="Processes that train together, each on a GPU of its own where there are any.",
    ),
]
On = Annotated[
    Engine,
    typer.Option(
        "--on",
        envvar="GENREID_ON",
        help="Who makes the pieces: this machine, or workers on the nodes of the Ray cluster that "
        "GENREID_RAY names (auto, or HOST:PORT), one a core if --workers is 0.",
    ),
]
ShowProgress = Annotated[
    bool, typer.Option("--progress/--no-progress", help="Show bars and lines on the way.")
]


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
