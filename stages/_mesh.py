"""Meshes as the stages after `mesh-extract` read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from genreid.body.body import Body
from genreid.data.manifest import Manifest
from genreid.mesh.shards import MeshEstimates, read_mesh_table
from pipeline.artifacts import read_table
from pipeline.errors import PipelineError
from stages._run import StageRun


def read_mesh(run: StageRun, manifest: Manifest, body: Body) -> MeshEstimates:
    """The meshes of the manifest's images, in its order."""
    parts = run.parts("mesh")
    if not parts:
        raise PipelineError(f"{run.paths.mesh} holds no shard; {run.remedy('mesh')}")
    table = pa.concat_tables(read_table(part, run.remedy("mesh")) for part in parts)
    ids, meshes = read_mesh_table(table, body.fingerprint)
    return in_order_of(manifest, ids, meshes, run.paths.mesh)


def in_order_of(manifest: Manifest, ids: Sequence[str], meshes: MeshEstimates, place: str) -> MeshEstimates:
    """The meshes of the manifest's images, in its order; `ids` name the rows. Raises PipelineError."""
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    if missing := [image_id for image_id in manifest.image_id if image_id not in row_of]:
        raise PipelineError(
            f"{place} lacks {len(missing)} images ({missing[0]} …): add their split to mesh_extract.splits"
        )
    return meshes.select(np.array([row_of[image_id] for image_id in manifest.image_id], np.int64))
