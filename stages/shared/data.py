"""Artifacts as the science takes them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from genreid.data.files import AnyPath
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.synthetic.truth import TRUTH_SCHEMA
from pipeline.artifacts import read_table, read_torch
from pipeline.errors import PipelineError
from stages.shared.paths import data_path
from stages.shared.run import PRODUCERS, Project, StageRun


def read_manifest(run: Project) -> Manifest:
    return Manifest.from_table(read_table(run.path("manifest"), run.remedy("manifest")))


def read_truth(run: Project) -> pa.Table:
    """What the synthetic benchmark knows of its images; without rows for other data sets.

    Raises PipelineError where it is no whole table of truth.
    """
    table = read_table(run.path("truth"), run.remedy("truth"))
    try:
        whole = table.cast(TRUTH_SCHEMA.with_metadata(table.schema.metadata))
        whole.validate(full=True)
    except (ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise PipelineError(
            f"{run.path('truth')}: no table of truth ({reason}); {run.remedy('truth')}"
        ) from None
    return whole


def truth_if_there(run: StageRun, lost: str) -> pa.Table:
    """The same for a stage that only measures by it. lost: what is said to be left out without the file;
    the table then has no rows, and no columns either."""
    if run.has("truth"):
        return read_truth(run)
    run.warn(f"{run.paths.truth} is missing, so {lost}: run `dvc repro {PRODUCERS['truth']}` for it")
    return pa.table({})


def image_set(run: Project, manifest: Manifest) -> ImageSet:
    """The images of a (part of a) manifest, without their identities."""
    return ImageSet(image_root(run, manifest), manifest, num_threads=run.workers)


def image_root(run: Project, manifest: Manifest) -> AnyPath:
    """The folder that the manifest's paths are relative to."""
    own = manifest.info.root == run.paths.images
    return run.path("images") if own else data_path(run.root, manifest.info.root)


def read_checkpoint(run: Project, key: str) -> tuple[dict[str, Any], str]:
    """A checkpoint and the name of its place, as the loaders of `genreid.models.checkpoint` take them."""
    return read_torch(run.path(key), run.remedy(key)), getattr(run.paths, key)
