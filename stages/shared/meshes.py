"""Meshes as the stages after `mesh-extract` read them."""

from __future__ import annotations

import pyarrow as pa

from genreid.body.body import Body
from genreid.data.manifest import Manifest
from genreid.mesh.shards import MeshEstimates, estimates_of
from pipeline.artifacts import read_table
from pipeline.errors import PipelineError
from stages.shared.run import StageRun


def read_mesh(run: StageRun, manifest: Manifest, body: Body) -> MeshEstimates:
    """The meshes of the manifest's images, in its order."""
    return estimates_of(manifest.image_id, read_mesh_rows(run), body.fingerprint, run.paths.mesh)


def read_mesh_rows(run: StageRun) -> pa.Table:
    """What all shards hold. Raises PipelineError where one is damaged, or there is none."""
    parts = run.parts("mesh")
    if not parts:
        raise PipelineError(f"{run.paths.mesh} holds no shard; {run.remedy('mesh')}")
    return pa.concat_tables(read_table(part, run.remedy("mesh")) for part in parts)
