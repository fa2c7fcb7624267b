"""The section `mesh_extract`."""

from __future__ import annotations

from dataclasses import dataclass

from genreid.data.manifest import SplitName
from genreid.mesh.settings import BlazePoseSettings, EstimatorName, RompSettings
from genreid.ranges import Count, Seed


@dataclass(frozen=True)
class MeshExtractSettings:
    """The section `mesh_extract`."""

    seed: Seed
    """Seed of the error that `heading_noise_deg` adds."""
    estimator: EstimatorName
    """Who estimates the bodies. blazepose, romp: for photographs; regressor: for the synthetic benchmark;
    ground_truth: the benchmark's own truth; mean_pose: looks at nothing."""
    blazepose: BlazePoseSettings
    """Settings of the estimator `blazepose`."""
    romp: RompSettings
    """Settings of the estimator `romp`. Its files are yours to bring."""
    heading_noise_deg: float
    """Spread of an error put on every heading [deg]. 0 for none; it tells what good meshes are worth."""
    splits: tuple[SplitName, ...]
    """Whose images it looks at."""
    images_per_shard: Count
    """Images of one file of meshes [images]."""
