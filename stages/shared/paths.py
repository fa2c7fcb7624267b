"""Where each artifact is, which stage makes it, and where a path of params.yaml leads."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from genreid.data.files import AnyPath
from genreid.data.objects import ObjectPath, is_url
from pipeline.errors import PipelineError


@dataclass(frozen=True)
class Paths:
    """The section `paths`: where each artifact is, relative to the project; dvc.yaml uses the same keys."""

    dataset: str | None
    """Folder of a data set that was not made here. Absolute, with `~`, relative to the project, or a URL such
    as `s3://bucket/folder`; null for the synthetic benchmark."""
    images: str
    """Folder of the synthetic benchmark's images."""
    manifest: str
    """Table of all images, with splits, cameras and identities."""
    truth: str
    """The synthetic benchmark's truth: bodies, poses, headings."""
    regressor: str
    """The small network that reads bodies from pixels."""
    mesh: str
    """Folder of the meshes and masks of all images."""
    views: str
    """Folder of the drawn meshes, turned and not."""
    encoder: str
    """The encoder after the warm-up."""
    generator: str
    """The generator after its pretraining."""
    joint: str
    """The encoder, and the generator, after joint training."""
    metrics: str
    """Figures of the last evaluation."""
    plots: str
    """Folder with one folder of curves and pictures a stage."""
    fingerprints: str
    """Folder with a text a stage on the code that it runs. `genreid fingerprint-code` writes them."""

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


def data_path(root: Path, text: str) -> AnyPath:
    """The same of a folder of images, which may be in an object store.

    Raises GenreidError where no installed package knows such a store.
    """
    return ObjectPath.of(text) if is_url(text) else project_path(root, text)


def _copied_from(root: Path) -> Path | None:
    """The project of which DVC made the copy at `root`, or a study its clone; None for any other."""
    for folder in root.parents:
        for copies in _COPIES:
            if folder.parts[-len(copies) :] == copies:
                return folder.parents[len(copies) - 1]
    return None
