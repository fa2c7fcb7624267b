"""Mesh shards as the stages after `mesh-extract` take them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.columns import unpack_body
from genreid.data.manifest import Manifest
from pipeline.artifacts import read_table
from pipeline.errors import PipelineError
from stages._run import StageRun


def read_mesh_table(run: StageRun) -> pa.Table:
    """All shards, sorted by image."""
    parts = run.parts("mesh")
    if not parts:
        raise PipelineError(f"{run.paths.mesh} holds no shard; {run.remedy('mesh')}")
    return pa.concat_tables(read_table(part, run.remedy("mesh")) for part in parts)


def read_mesh(
    run: StageRun, manifest: Manifest, body: Body
) -> tuple[BodyParameters, torch.Tensor, np.ndarray]:
    """The meshes of the manifest's N images, in its order: parameters, camera (N, 3) and valid (N,) bool.

    Raises PipelineError where an image was never looked at, and where the meshes are of another body.
    """
    table = read_mesh_table(run)
    row_of = {image_id: row for row, image_id in enumerate(table["image_id"].to_pylist())}
    if missing := [image_id for image_id in manifest.image_id if image_id not in row_of]:
        raise PipelineError(
            f"{run.paths.mesh} lacks {len(missing)} images ({missing[0]} …): "
            "add their split to mesh_extract.splits, or take it out of this stage's"
        )
    table = table.take([row_of[image_id] for image_id in manifest.image_id])
    others = set(table["body"].to_pylist()) - {body.fingerprint, None}
    if others:
        raise PipelineError(
            f"{run.paths.mesh} is of body {others.pop()}, the manifest's is {body.fingerprint}: "
            "choose the estimator that fits prepare_data.body"
        )
    return unpack_body(table)
