"""What `mesh-extract` is told, the estimator of its name, and what makes the meshes of some images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import Body, load_body
from genreid.data.files import AnyPath, opened
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.mesh.estimator import MeshEstimator, build_estimator
from genreid.mesh.heading_noise import with_heading_noise
from genreid.mesh.settings import BlazePoseSettings, EstimatorName, RompSettings
from genreid.mesh.shards import mesh_table
from genreid.zoo.cache import require
from pipeline.artifacts import read_torch
from pipeline.params import section
from stages.shared.body import body_source
from stages.shared.data import image_root
from stages.shared.engine import open_workers
from stages.shared.fallback import finish_with
from stages.shared.romp import romp_settings
from stages.shared.run import Project
from stages.shared.settings.mesh_extract import MeshExtractSettings
from stages.shared.shards import Finish, MakeTable


@dataclass(frozen=True)
class EstimatorParts:
    """What an estimator is made of, on whichever machine. body: as `load_body` takes it. See
    `build_estimator` for the others."""

    name: EstimatorName
    body: str
    device: str
    regressor: Mapping[str, Any] | None = None
    truth: pa.Table | None = None
    romp: RompSettings | None = None
    blazepose: BlazePoseSettings | None = None

    def build(self, body: Body) -> MeshEstimator:
        """Raises GenreidError, as where this machine lacks a model file."""
        blazepose = None
        if self.blazepose is not None:
            blazepose = self.blazepose, require(self.blazepose.model_name)
        return build_estimator(
            self.name,
            body,
            regressor=self.regressor,
            truth=self.truth,
            romp=self.romp,
            blazepose=blazepose,
            device=torch.device(self.device),
        )


def estimator_parts(run: Project, name: EstimatorName, body: str, truth: pa.Table) -> EstimatorParts:
    """The parts of the estimator that the params name, of the artifacts that it needs."""
    return EstimatorParts(
        name,
        body,
        str(run.device),
        regressor=read_torch(run.path("regressor"), run.remedy("regressor")) if name == "regressor" else None,
        truth=truth if truth.num_rows else None,
        romp=romp_settings(run) if name == "romp" else None,
        blazepose=_blazepose(run) if name == "blazepose" else None,
    )


def open_estimator(run: Project, name: EstimatorName, body: Body, truth: pa.Table) -> MeshEstimator:
    """The estimator that the params name, in this process."""
    return estimator_parts(run, name, "", truth).build(body)


def _blazepose(run: Project) -> BlazePoseSettings:
    """What params.yaml says of it; its model file is looked at. Raises GenreidError without it."""
    settings = section(run.params, "mesh_extract.blazepose", BlazePoseSettings)
    require(settings.model_name)
    return settings


@contextmanager
def open_maker(
    run: Project, settings: MeshExtractSettings, manifest: Manifest, truth: pa.Table
) -> Iterator[tuple[MakeTable, int]]:
    """What makes the meshes of the images at some positions, and from how many threads it is to be called.

    It raises GenreidError where an image is not as the manifest says: a data set that was moved would
    otherwise look like one in which nobody was found. On this machine BlazePose and its fit run in
    `run.workers` processes of one thread, the others in this one: numbers do not depend on it.
    """
    parts = estimator_parts(run, settings.estimator, body_source(run.root, manifest.info.body), truth)
    root = image_root(run, manifest)
    here = 0 if settings.estimator == "blazepose" else 1
    with open_workers(run, _start_worker, settings, parts, root, here=here, sees=[root]) as workers:

        def make(piece: range) -> pa.Table:
            return workers.call(_look, manifest.rows(np.arange(piece.start, piece.stop)))

        yield make, workers.num_calls


def finishing(settings: MeshExtractSettings, body_fingerprint: str) -> Finish | None:
    """What images get in which an estimator of photographs found nobody; None for the other estimators."""
    if settings.estimator == "blazepose":
        remedy = "lower mesh_extract.blazepose.least_score"
        return finish_with(settings.blazepose.fallback, "blazepose", body_fingerprint, remedy)
    if settings.estimator == "romp":
        remedy = "lower mesh_extract.romp.center_threshold and small_crop_threshold"
        return finish_with(settings.romp.fallback, "romp", body_fingerprint, remedy)
    return None


def table_maker(
    settings: MeshExtractSettings, estimator: MeshEstimator, body_fingerprint: str
) -> Callable[[Sequence[str], Sequence[np.ndarray]], pa.Table]:
    """Makes the rows of a mesh shard of image ids and pictures."""

    def look(image_ids: Sequence[str], pictures: Sequence[np.ndarray]) -> pa.Table:
        found = estimator.estimate(image_ids, pictures)
        found = with_heading_noise(found, image_ids, settings.heading_noise_deg, settings.seed)
        return mesh_table(image_ids, found, estimator.name, body_fingerprint)

    return look


# What follows runs in the workers.

_look_here: Callable[[Sequence[str], Sequence[np.ndarray]], pa.Table] | None = None
_root_here: AnyPath | None = None


def _start_worker(settings: MeshExtractSettings, parts: EstimatorParts, root: AnyPath) -> None:
    global _look_here, _root_here
    body = load_body(parts.body)
    _look_here = table_maker(settings, parts.build(body), body.fingerprint)
    _root_here = opened(root)


def _look(piece: Manifest) -> pa.Table:
    assert _look_here is not None and _root_here is not None, "_start_worker ran first"
    images = ImageSet(_root_here, piece)
    return _look_here(images.image_id, images.load_natives())
