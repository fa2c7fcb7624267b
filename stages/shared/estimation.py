"""What `mesh-extract` is told, the estimator of its name, and what makes the meshes of some images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from genreid.body.body import Body, load_body
from genreid.data.images import ImageSet
from genreid.mesh.blazepose.estimator import BlazePoseEstimator
from genreid.mesh.estimator import MeshEstimator, build_estimator
from genreid.mesh.heading_noise import with_heading_noise
from genreid.mesh.settings import BlazePoseSettings, EstimatorName
from genreid.mesh.shards import mesh_table
from genreid.zoo.cache import require
from pipeline.artifacts import read_torch
from pipeline.params import section
from stages.shared.body import body_source
from stages.shared.fallback import finish_with
from stages.shared.romp import romp_settings
from stages.shared.run import Project
from stages.shared.settings.mesh_extract import MeshExtractSettings
from stages.shared.shards import Finish, MakeTable
from stages.shared.workers import process_pool


def open_estimator(run: Project, name: EstimatorName, body: Body, truth: pa.Table) -> MeshEstimator:
    """The estimator that the params name, with the artifacts that it needs."""
    regressor = read_torch(run.path("regressor"), run.remedy("regressor")) if name == "regressor" else None
    known = truth if truth.num_rows else None
    romp = romp_settings(run) if name == "romp" else None
    blazepose = _blazepose(run) if name == "blazepose" else None
    return build_estimator(
        name, body, regressor=regressor, truth=known, romp=romp, blazepose=blazepose, device=run.device
    )


def _blazepose(run: Project) -> tuple[BlazePoseSettings, Path]:
    """What params.yaml says of it, and its model file, which is looked at. Raises GenreidError without it."""
    settings = section(run.params, "mesh_extract.blazepose", BlazePoseSettings)
    return settings, require(settings.model_name)


@contextmanager
def open_maker(
    run: Project, settings: MeshExtractSettings, images: ImageSet, body_name: str, truth: pa.Table
) -> Iterator[tuple[MakeTable, int]]:
    """What makes the meshes of the images at some positions, and from how many threads it may be called.

    It raises GenreidError where an image is not as the manifest says: a data set that was moved would
    otherwise look like one in which nobody was found. BlazePose and its fit run in `run.workers` processes of
    one thread: numbers do not depend on how many there are.
    """
    source = body_source(run.root, body_name)

    def load(piece: range) -> tuple[list[str], list[np.ndarray]]:
        return [images.image_id[image] for image in piece], [images.load_native(image) for image in piece]

    if settings.estimator == "blazepose":
        _, model = _blazepose(run)
        with process_pool(run.workers, _start_worker, settings, model, source) as pool:
            yield lambda piece: pool.call(_look, *load(piece)), run.workers
    else:
        body = load_body(source)
        look = table_maker(settings, open_estimator(run, settings.estimator, body, truth), body.fingerprint)
        yield lambda piece: look(*load(piece)), 1


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


# What follows runs in the worker processes.

_look_here: Callable[[Sequence[str], Sequence[np.ndarray]], pa.Table] | None = None


def _start_worker(settings: MeshExtractSettings, model: Path, body: str) -> None:
    global _look_here
    loaded = load_body(body)
    estimator = BlazePoseEstimator.open(settings.blazepose, model, loaded)
    _look_here = table_maker(settings, estimator, loaded.fingerprint)


def _look(image_ids: Sequence[str], pictures: Sequence[np.ndarray]) -> pa.Table:
    assert _look_here is not None, "_start_worker ran first"
    return _look_here(image_ids, pictures)
