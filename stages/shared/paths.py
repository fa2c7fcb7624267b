"""Where each artifact is, and which stage makes it."""

from __future__ import annotations

from dataclasses import dataclass, fields


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

assert set(PRODUCERS) == {field.name for field in fields(Paths)} - {"dataset", "plots"}
