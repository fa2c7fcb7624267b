"""The section `evaluate`, and how a gallery is re-ranked: settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.data.settings import WayName
from genreid.errors import GenreidError
from genreid.ranges import Count, Seed, Share, TwoOrMore


@dataclass(frozen=True)
class RerankingSettings:
    """How a gallery is re-ranked."""

    k1: Count
    """Neighbours of an image, not counting itself [images]. Zhong et al.'s k1."""
    k2: Count
    """Images that local query expansion averages over, itself included [images]. At most k1; 1 switches it
    off."""
    original_weight: Share
    """Share λ of the original distance."""

    def __post_init__(self) -> None:
        if self.k2 > self.k1:
            raise GenreidError(
                f"k2 is {self.k2} and k1 {self.k1}: expected at most k1, whose neighbours it averages over; "
                "lower k2 or raise k1"
            )


@dataclass(frozen=True)
class EvaluateSettings:
    """The section `evaluate`."""

    seed: Seed
    """Seed of the stage's random draws."""
    split: Literal["test", "val"]
    """Whose queries and gallery are ranked. val in studies: a study scores test once, at its end."""
    batch_size: Count
    """Images that are embedded at once [images]."""
    max_rank: Count
    """Ranks of the CMC curve [ranks]."""
    num_generated: TwoOrMore
    """Queries whose generated views are measured [images]."""
    num_ranked_lists: Count
    """Queries in the picture of ranked lists [images]."""
    reranking: RerankingSettings | None
    """k-reciprocal re-ranking beside the plain figures. Null for none; or {k1: 20, k2: 6, original_weight:
    0.3}."""
    test_views: tuple[WayName, ...]
    """Ways of looking held beside the image alone. mirror: and its mirror image; copies: and seven copies,
    not turned; turned: and the person from other sides. The encoders' figures stay those of the image
    alone."""
