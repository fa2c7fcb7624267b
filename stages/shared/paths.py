"""Where each artifact is, which stage makes it, and where a path of params.yaml leads."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from pipeline.errors import PipelineError


@dataclass(frozen=True)
class Paths:
    """The section `paths`: where each artifact is, relative to the project; dvc.yaml uses the same keys.

    dataset: the folder of a data set that was not made here, or null. plots: a folder with one folder of
    curves and pictures a stage. fingerprints: a folder with a text a stage on the code that it runs.
    """

    dataset: str | None
    images: str
    manifest: str
    truth: str
    regressor: str
    mesh: str
    views: str
    encoder: str
    generator: str
    joint: str
    metrics: str
    plots: str
    fingerprints: str

    def __post_init__(self) -> None:
        for field in fields(self):
            text = getattr(self, field.name)
            if field.name != "dataset" and text.startswith("~"):
                raise PipelineError(
                    f"{field.name} is {text!r}: DVC takes `~` for the name of a folder; write the path out"
                )


PRODUCERS = {
    "fingerprints": "fingerprint-code",
    "images": "prepare-data",
    "manifest": "prepare-data",
    "truth": "prepare-data",
    "regressor": "fit-regressor",
    "mesh": "mesh-extract",
    "views": "render-views",
    "encoder": "pretrain-encoder",
    "generator": "pretrain-generator",
    "joint": "train-joint",
    "metrics": "evaluate",
}
"""The stage that writes each artifact."""

PLOTTED = (
    "prepare-data",
    "fit-regressor",
    "mesh-extract",
    "pretrain-encoder",
    "pretrain-generator",
    "train-joint",
    "evaluate",
)
"""The stages that have a folder in `paths.plots`."""

_COPIES = ((".dvc", "tmp", "exps"), (".genreid", "studies"))
"""Folders of a project below which copies of it lie."""

assert set(PRODUCERS) == {field.name for field in fields(Paths)} - {"dataset", "plots"}


def project_path(root: Path, text: str) -> Path:
    """A path as params.yaml writes it: relative to the project, absolute, or with `~`.

    What git ignores, such as a link to a data set, is not in the copy of the project in which
    `dvc exp run --temp`, the queue and trials of studies work: there it is that of the project that the
    copy is of.
    """
    given = os.path.expanduser(text)  # unlike pathlib's, it leaves a name that nobody has as it is
    place, original = root / given, _copied_from(root)
    if original is not None and not place.exists() and (original / given).exists():
        return original / given
    return place


def _copied_from(root: Path) -> Path | None:
    """The project of which DVC made the copy at `root`, or a study its clone; None for any other."""
    for folder in root.parents:
        for copies in _COPIES:
            if folder.parts[-len(copies) :] == copies:
                return folder.parents[len(copies) - 1]
    return None
