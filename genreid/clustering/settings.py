"""How images become pseudo-identities: settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.errors import GenreidError
from genreid.ranges import Count, InnerShare

Method = Literal["exact", "pca_bound", "hnsw"]
"""Names of the neighbour searches."""


@dataclass(frozen=True)
class PseudoLabelSettings:
    """How images become pseudo-identities.

    k1: columns of the neighbour table, the image itself included. k2: images that local query expansion
    averages over, itself included; 1 switches it off. eps: largest Jaccard distance (0 to 1) of
    neighbours in DBSCAN. min_samples: images within eps, itself included, that make an image a core.
    method: the neighbour search (see `nearest_neighbours`): `exact`, or approximate `pca_bound` or `hnsw`.
    """

    k1: Count
    k2: Count
    eps: InnerShare
    min_samples: Count
    method: Method

    def __post_init__(self) -> None:
        if self.k2 > self.k1:
            raise GenreidError(
                f"k2 is {self.k2} and k1 {self.k1}: expected at most k1, whose neighbours it averages over; "
                "lower k2 or raise k1"
            )
