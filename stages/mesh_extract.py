"""`mesh-extract`: the body of the person in every image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class MeshExtractSettings:
    """estimator: `regressor` or `ground_truth`. splits: whose images it looks at."""

    estimator: str
    splits: tuple[str, ...]
    images_per_batch: int
    images_per_shard: int


def mesh_extract() -> None:
    """Estimate."""
