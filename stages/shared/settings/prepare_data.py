"""The section `prepare_data`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.data.datasets.folder import FolderSettings
from genreid.ranges import Seed, TrainingSize
from genreid.synthetic.settings import SyntheticSettings

DatasetName = Literal[
    "synthetic", "market1501", "dukemtmc", "msmt17", "cuhk03_labelled", "cuhk03_detected", "ltcc", "folder"
]


@dataclass(frozen=True)
class PrepareDataSettings:
    """The section `prepare_data`.

    Both parts, `folder` and `synthetic`, are read whatever the data set, so that a mistake in either is told.
    """

    seed: Seed
    """Seed of the stage's random draws."""
    dataset: DatasetName
    """Where the images come from. synthetic: drawn here; folder: any folder of crops, by patterns; all
    others: published data sets, in the folder that `paths.dataset` names."""
    body: str
    """Body model of the meshes, `open` or the path of a licensed SMPL file."""
    height_px: TrainingSize
    """Height that training resizes images to [px]."""
    width_px: TrainingSize
    """Width that training resizes images to [px]."""
    val_identities: int
    """Training identities set aside for validation [persons]. Of a labelled data set they become the splits
    val_query and val_gallery, for studies; the synthetic benchmark has its own."""
    folder: FolderSettings
    """Patterns that say which image is what, for dataset `folder`."""
    synthetic: SyntheticSettings
    """How large the benchmark is, for dataset `synthetic`."""
