"""How images become pseudo-identities: settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from genreid.errors import GenreidError
from genreid.ranges import Count, InnerShare, shared

Method = Literal["exact", "pca_bound", "hnsw"]
"""Names of the neighbour searches."""


@dataclass(frozen=True)
class PseudoLabelSettings:
    """How images become pseudo-identities."""

    k1: Count = field(metadata=shared("clustering.k1"))
    """Columns of the neighbour table, the image itself included [images]. About as many images as a person
    has."""
    k2: Count = field(metadata=shared("clustering.k2"))
    """Images that local query expansion averages over, itself included [images]. At most k1; 1 switches it
    off."""
    eps: InnerShare
    """Largest Jaccard distance of neighbours in DBSCAN."""
    min_samples: Count = field(metadata=shared("clustering.min_samples"))
    """Images within eps, itself included, that make an image a core [images]."""
    method: Method = field(metadata=shared("clustering.method"))
    """The neighbour search. For a million images pca_bound or hnsw, which are approximate."""

    def __post_init__(self) -> None:
        if self.k2 > self.k1:
            raise GenreidError(
                f"k2 is {self.k2} and k1 {self.k1}: expected at most k1, whose neighbours it averages over; "
                "lower k2 or raise k1"
            )
