"""What is known of the bodies of the images: their headings, and the persons turned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.shared.run import Project

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from genreid.data.images import ImageSet
    from genreid.data.manifest import Manifest
    from genreid.data.ways import Turned

SECTOR_DEG = 30


@dataclass(frozen=True)
class Headings:
    """statuses: how many images have each. shares: heading in degrees (middle of a sector) → percent of the
    bodies that were found; true_shares: the same of the benchmark's truth, empty for other data."""

    statuses: dict[str, int]
    shares: dict[float, float]
    true_shares: dict[float, float] = field(default_factory=dict)


def headings(project: Project) -> Headings:
    """Of all images with a body. Raises PipelineError where there is no shard, or a damaged one."""
    from collections import Counter

    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from stages.shared.data import read_truth

    table = pa.concat_tables(_shards(project)).select(["image_id", "status", "global_orient"])
    found = table.filter(pc.equal(table["status"], "ok"))
    truth: dict[float, float] = {}
    if project.path("truth").exists() and (known := read_truth(project)).num_rows:
        own = known.filter(pc.is_in(known["image_id"], found["image_id"].combine_chunks()))
        truth = shares_of(own["heading_deg"].to_numpy().astype(np.float64))
    statuses = Counter(table["status"].to_pylist())
    return Headings(dict(sorted(statuses.items())), shares_of(_heading_deg(found)), truth)


def shares_of(heading_deg: np.ndarray) -> dict[float, float]:
    """Sectors of 30 degrees from −150 to 180, each with its share of the headings in percent; none of
    none."""
    import numpy as np

    num = 360 // SECTOR_DEG
    if not len(heading_deg):
        return {}
    counts = np.bincount(np.round(heading_deg / SECTOR_DEG).astype(np.int64) % num, minlength=num)
    middles = [(sector + 1 - num // 2) * SECTOR_DEG for sector in range(num)]
    return {float(at): float(100 * counts[(at // SECTOR_DEG) % num] / len(heading_deg)) for at in middles}


def turned_persons(project: Project, manifest: Manifest, images: ImageSet) -> Turned:
    """The persons of these images turned, as clustering on turned views has them. Raises GenreidError."""
    import pyarrow as pa

    from genreid.data.ways import where_possible
    from genreid.mesh.shards import estimates_of
    from genreid.render.backend import choose_renderer
    from genreid.warping.images import WarpedImages
    from genreid.warping.warper import Warper
    from stages.shared.body import open_body

    body = open_body(project.root, manifest.info.body)
    table = pa.concat_tables(_shards(project))
    meshes = estimates_of(manifest.image_id, table, body.fingerprint, project.paths.mesh)
    warper = Warper(body, choose_renderer("auto", project.device))
    warped = WarpedImages(warper, images, meshes.parameters, meshes.camera, meshes.mask)
    return where_possible(warped.pictures, images, meshes.valid)


def _shards(project: Project) -> list[pa.Table]:
    from pipeline.artifacts import read_table
    from pipeline.errors import PipelineError

    parts = project.parts("mesh")
    if not parts:
        raise PipelineError(f"{project.paths.mesh} holds no shard; {project.remedy('mesh')}")
    return [read_table(part, project.remedy("mesh")) for part in parts]


def _heading_deg(table: pa.Table) -> np.ndarray:
    """(B,) of rows that have a mesh."""
    import numpy as np
    import torch

    from genreid.body.rotations import heading_deg

    flat = table["global_orient"].combine_chunks().flatten().to_numpy().astype(np.float32)
    return heading_deg(torch.from_numpy(flat.reshape(-1, 3).copy())).numpy().astype(np.float64)
