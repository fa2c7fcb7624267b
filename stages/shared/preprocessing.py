"""How pictures are prepared: what a checkpoint says of it, held against the manifest."""

from __future__ import annotations

from typing import Any

from genreid.data.manifest import ManifestInfo
from genreid.models.checkpoint import preprocessing_of
from genreid.preprocessing import Preprocessing
from pipeline.errors import PipelineError
from stages.shared.data import read_checkpoint
from stages.shared.run import PRODUCERS, Project


def preparation(info: ManifestInfo) -> Preprocessing:
    """That of networks which are trained on the manifest's images."""
    return Preprocessing(info.height_px, info.width_px)


def read_fitting_checkpoint(run: Project, key: str, info: ManifestInfo) -> tuple[dict[str, Any], str]:
    """As `read_checkpoint`; raises PipelineError where it takes images of another size than the manifest."""
    content, place = read_checkpoint(run, key)
    own, expected = preprocessing_of(content, place), preparation(info)
    if own != expected:
        raise PipelineError(
            f"{place} takes images of {own.size} pixels, and {run.paths.manifest} has {expected.size}: run "
            f"`dvc repro {PRODUCERS[key]}`, or set prepare_data.height_px and width_px back"
        )
    return content, place
