"""What the training stages share: their images, and what happens to what an epoch reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.training.precision import computed_in
from genreid.training.ranks import Ranks
from pipeline.artifacts import write_torch
from pipeline.tracking import EpochReport
from stages.shared.data import image_set, read_manifest
from stages.shared.run import StageRun


def training_set(run: StageRun) -> tuple[Manifest, ImageSet]:
    """The train split, and its images without their identities."""
    train = read_manifest(run).select("train")
    return train, image_set(run, train)


def learnt_in(run: StageRun) -> dict[str, str]:
    """For a summary: what the networks learnt in, where the processor chose it."""
    precision = run.settings.precision
    return {"learnt in": computed_in(run.device, precision)} if precision == "auto" else {}


def train_and_write(
    run: StageRun,
    ranks: Ranks,
    epochs: Iterable[EpochReport],
    key: str,
    checkpoint: Callable[[], Mapping[str, Any]],
    title: str,
    facts: Mapping[str, object],
) -> None:
    """Follow the training to its end; write its checkpoint to the artifact `key`, its curves, its summary. Of
    several ranks the first one does."""
    for report in epochs:
        if ranks.rank == 0:
            run.tracker.report(report)
    if ranks.rank > 0:
        return
    write_torch(run.path(key), checkpoint())
    run.tracker.publish(run.plots)
    run.show(title, {**facts, **run.tracker.last_figures, **learnt_in(run)})
