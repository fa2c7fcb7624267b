"""What the page shows, found piece by piece; a piece that cannot be is left out, and its reason kept."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from genreid.errors import GenreidError
from pipeline.errors import PipelineError
from pipeline.tracking import Bars
from stages.shared.run import Project
from stages.using.report import bodies, clusters, lists
from stages.using.report.gathering import Gathered
from stages.using.report.page import Contents
from stages.using.report.tables import DataSummary, data_summary

if TYPE_CHECKING:
    from stages.using.report.lists import Lists

T = TypeVar("T")

SHEETS = {
    "views": "evaluate/views.png",
    "mixtures": "evaluate/mixtures.png",
    "bodies": "mesh-extract/contact_sheet.png",
    "data": "prepare-data/contact_sheet.png",
}
"""Pictures of the stages, below `paths.plots`, by their names on the page."""
_OF_THE_TRUTH = ("mixtures",)
"""Those that `evaluate` draws where true headings are known, as the benchmark alone has them."""
_PAINTED = ("train-joint", "pretrain-generator")
"""Stages that may have drawn what the generator paints, the latest first."""


def contents_of(project: Project, gathered: Gathered, *, photographs: bool, embed: bool) -> Contents:
    """photographs: whether images are shown. embed: whether they are embedded again, for lists and
    clusters."""
    bars = Bars(show=project.options.progress)
    wanted = _Wanted(gathered, embed)
    ranked = wanted.embedded(
        "Ranked lists", lambda: lists.ranked_lists(project, bars, photographs=photographs)
    )
    pseudo = wanted.embedded(
        "Clusters of pseudo-labels",
        lambda: clusters.pseudo_identities(project, bars, photographs=photographs),
    )
    headings = wanted.found("Headings", lambda: bodies.headings(project))
    data = wanted.found("Data", lambda: _data(project))
    sheets: dict[str, np.ndarray] = {}
    if photographs:
        sheets = _sheets(project, gathered)
    else:
        gathered.missing["Pictures of the data set"] = "--no-photographs was given"
    finished = gathered.finished
    return Contents(
        title=f"genreid: {project.root.name}",
        subtitle=f"The run of {project.root}" + (f", evaluated {finished}" if finished else ""),
        footer="Made by `genreid report`. Nothing in this page is fetched from anywhere.",
        gathered=gathered,
        sheets=sheets,
        lists=ranked,
        clusters=pseudo,
        headings=headings,
        data=data,
        notices=disagreements(gathered, ranked),
    )


class _Wanted:
    """Tries pieces, and keeps why one is not there."""

    def __init__(self, gathered: Gathered, embed: bool) -> None:
        self._missing, self._embed = gathered.missing, embed

    def found(self, name: str, work: Callable[[], T]) -> T | None:
        """What `work` gives; None where an artifact that it needs is not there, or is not whole."""
        try:
            return work()
        except FileNotFoundError as error:
            self._missing[name] = f"{error.filename} is missing: run `dvc repro`"
        except (GenreidError, PipelineError) as error:
            self._missing[name] = str(error)
        except OSError as error:
            if error.errno != errno.ENODEV:  # a folder of images that is not there is no fault of the machine
                raise
            self._missing[name] = f"{error.filename} {error.strerror}"
        return None

    def embedded(self, name: str, work: Callable[[], T]) -> T | None:
        if self._embed:
            return self.found(name, work)
        self._missing[name] = "--no-embed was given"
        return None


def disagreements(gathered: Gathered, ranked: Lists | None) -> list[tuple[str, str]]:
    """Where the encoders that are here now do not come to what metrics.json says of them."""
    found = []
    for name, mean_ap in ({} if ranked is None else ranked.mean_ap).items():
        said = gathered.run.metrics.get(name, {}).get("mAP")
        if said is not None and abs(said - mean_ap) > 0.05:
            here = f"the checkpoint that is here now has {mean_ap:.1f}: run `dvc repro`"
            found.append(("ranked lists", f"{name}: metrics.json says mAP {said:.1f}, {here}"))
    return found


def _data(project: Project) -> DataSummary:
    from stages.shared.data import read_manifest

    manifest = read_manifest(project)
    info = manifest.info
    size = f"{info.height_px} × {info.width_px} pixels in training"
    unreadable = int((manifest.status != "ok").sum())
    notes = [f"{info.dataset}, {len(manifest)} images, {size}, body {info.body}."]
    if unreadable:
        notes.append(f"{unreadable} of them cannot be read; the manifest has the reasons.")
    return data_summary(*manifest.overview(), notes)


def _sheets(project: Project, gathered: Gathered) -> dict[str, np.ndarray]:
    """Those that are there."""
    from genreid.data.images import read_image

    plots, found = project.path("plots"), {}
    places = {name: plots / place for name, place in SHEETS.items()}
    for stage in reversed(_PAINTED):
        painted = sorted((plots / stage / "plots" / "images").rglob("*.png"))
        if painted:
            places["painting"] = painted[-1]
    has_truth = project.params.value("prepare_data.dataset") == "synthetic"
    for name, place in places.items():
        if name in _OF_THE_TRUTH and not has_truth:
            continue
        if not place.is_file():
            gathered.missing[f"Picture of {name}"] = f"{place.relative_to(project.root)} is missing"
            continue
        try:
            found[name] = read_image(place)
        except GenreidError as error:
            gathered.missing[f"Picture of {name}"] = str(error)
    return found
