"""What dvc.yaml says of a stage."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.params import load_params

MARKERS = ("dvc.yaml", "params.yaml")


def find_root(start: Path) -> Path:
    """The project's folder: the nearest one from `start` upwards that holds dvc.yaml and params.yaml."""
    for folder in (start, *start.parents):
        if all((folder / name).exists() for name in MARKERS):
            return folder
    raise PipelineError(
        f"{start}: no {' and '.join(MARKERS)} here or above; go to the project's folder first"
    )


def code_dependencies(root: Path, stage: str) -> list[str]:
    """The code files that `stage` depends on, as dvc.yaml lists them (relative to `root`), sorted."""
    graph = load_params(root / "dvc.yaml")
    return sorted(dep for dep in graph.value(f"stages.{stage}.deps") if dep.endswith(".py"))
