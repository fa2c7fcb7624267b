"""What `mesh-extract` is told, the estimator of its name, and the meshes of a piece of the images."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from genreid.body.body import Body
from genreid.data.images import ImageSet
from genreid.mesh.estimator import MeshEstimator, build_estimator
from genreid.mesh.heading_noise import with_heading_noise
from genreid.mesh.settings import EstimatorName
from genreid.mesh.shards import mesh_table
from pipeline.artifacts import read_torch
from stages.shared.romp import romp_settings
from stages.shared.run import Project
from stages.shared.settings.mesh_extract import MeshExtractSettings


def open_estimator(run: Project, name: EstimatorName, body: Body, truth: pa.Table) -> MeshEstimator:
    """The estimator that the params name, with the artifacts that it needs."""
    regressor = read_torch(run.path("regressor"), run.remedy("regressor")) if name == "regressor" else None
    known = truth if truth.num_rows else None
    romp = romp_settings(run) if name == "romp" else None
    return build_estimator(name, body, regressor=regressor, truth=known, romp=romp, device=run.device)


def mesh_maker(
    settings: MeshExtractSettings, estimator: MeshEstimator, images: ImageSet, body: Body
) -> Callable[[range], pa.Table]:
    """Estimates the bodies in the images at some positions. It raises GenreidError where one is not as the
    manifest says: a data set that was moved would otherwise look like one in which nobody was found.
    """

    def look(piece: range) -> pa.Table:
        ids = [images.image_id[image] for image in piece]
        found = estimator.estimate(ids, [images.load_native(image) for image in piece])
        found = with_heading_noise(found, ids, settings.heading_noise_deg, settings.seed)
        return mesh_table(ids, found, estimator.name, body.fingerprint)

    return look
