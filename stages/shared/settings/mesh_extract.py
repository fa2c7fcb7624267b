"""The section `mesh_extract`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.data.manifest import SplitName
from genreid.mesh.settings import BlazePoseSettings, EstimatorName, RompSettings
from genreid.ranges import Count, Seed


@dataclass(frozen=True)
class MeshExtractSettings:
    """estimator: see `genreid.mesh.estimator`; blazepose, romp: see `genreid.mesh.settings`.
    heading_noise_deg: spread of an error added to the heading of every estimate, 0 for none; seed: of that
    error. splits: whose images it looks at.
    """

    seed: Seed
    estimator: EstimatorName
    blazepose: BlazePoseSettings
    romp: RompSettings
    heading_noise_deg: float
    splits: tuple[SplitName, ...]
    images_per_shard: Count
