"""Where the project is."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError

MARKERS = ("dvc.yaml", "params.yaml")


def find_root(start: Path) -> Path:
    """The project's folder: the nearest one from `start` upwards that holds dvc.yaml and params.yaml."""
    for folder in (start, *start.parents):
        if all((folder / name).exists() for name in MARKERS):
            return folder
    raise PipelineError(
        f"{start}: no {' and '.join(MARKERS)} here or above; go to the project's folder first"
    )
