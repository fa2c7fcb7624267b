"""`mesh-extract`: the body of the person in every image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stages._options import Device, Fresh, ShowProgress, SplitName, Workers
from stages._run import Options, open_stage

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGES_PER_PIECE = 64
_ROWS_PER_GROUP = 256


@dataclass(frozen=True)
class MeshExtractSettings:
    """estimator: see `genreid.mesh.estimator`; romp: see `genreid.mesh.romp`. heading_noise_deg: spread of an
    error added to the heading of every estimate, 0 for none; seed: of that error. splits: whose images it
    looks at.
    """

    seed: int
    estimator: Literal["regressor", "romp", "ground_truth", "mean_pose"]
    romp: Mapping[str, Any]
    heading_noise_deg: float
    splits: tuple[SplitName, ...]
    images_per_shard: int


def mesh_extract(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Estimate pose, shape and camera of the body in every image; each image gets a row and a status."""
    options = Options(fresh, device, workers, progress)
    inputs = ("manifest", "images", "truth", "regressor")
    with open_stage("mesh-extract", options, inputs=inputs) as run:
        from genreid.mesh.heading_noise import with_heading_noise
        from genreid.mesh.romp import RompSettings
        from genreid.mesh.shards import mesh_table
        from stages._body import open_body
        from stages._data import image_set, read_manifest
        from stages._estimation import accuracy_table, estimate, open_estimator, read_truth
        from stages._mesh import read_mesh
        from stages._romp import finish_with, hold_files
        from stages._shards import plan_shards, write_shards

        settings = run.settings(MeshExtractSettings)
        romp = run.settings(RompSettings, "romp")
        if settings.estimator == "romp":
            hold_files(run)
        manifest = read_manifest(run).select(*settings.splits)
        body = open_body(run.root, manifest.info.body)
        truth = read_truth(run)
        estimator = open_estimator(run, settings.estimator, body, truth)
        images = image_set(run, manifest)

        def look(piece: range) -> pa.Table:
            ids = [images.image_id[image] for image in piece]
            found = estimate(estimator, images, piece)
            found = with_heading_noise(found, ids, settings.heading_noise_deg, settings.seed)
            return mesh_table(ids, found, estimator.name, body.fingerprint)

        write_shards(
            run,
            "mesh",
            plan_shards(len(manifest), _IMAGES_PER_PIECE, settings.images_per_shard),
            look,
            "estimating meshes",
            finish=finish_with(romp, estimator.name, body.fingerprint) if estimator.name == "romp" else None,
            row_group_size=_ROWS_PER_GROUP,
        )

        found = read_mesh(run, manifest, body)
        run.show("Meshes", {"images": len(manifest), **dict(sorted(Counter(found.status).items()))})
        if truth.num_rows:
            run.show_table("Against the truth", *accuracy_table(found, truth, manifest, body))
