"""The section `prepare_data`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.data.datasets.folder import FolderSettings
from genreid.ranges import Seed, TrainingSize
from genreid.synthetic.settings import SyntheticSettings

DatasetName = Literal[
    "synthetic", "market1501", "dukemtmc", "msmt17", "cuhk03_labelled", "cuhk03_detected", "folder"
]


@dataclass(frozen=True)
class PrepareDataSettings:
    """dataset: where the images come from. body: the body model of the meshes, `open` or a file.

    height_px, width_px: the size that training resizes to. val_identities: how many training identities of a
    labelled data set become the validation pair. Both parts are read whatever the data set, so that a mistake
    in either is told.
    """

    seed: Seed
    dataset: DatasetName
    body: str
    height_px: TrainingSize
    width_px: TrainingSize
    val_identities: int
    folder: FolderSettings
    synthetic: SyntheticSettings
