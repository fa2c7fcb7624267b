"""The section `evaluate`, and how a gallery is re-ranked: settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genreid.data.settings import WayName
from genreid.errors import GenreidError
from genreid.ranges import Count, Seed, Share, TwoOrMore


@dataclass(frozen=True)
class RerankingSettings:
    """How a gallery is re-ranked.

    k1: neighbours of an image, not counting itself (Zhong et al.'s k1). k2: images that local query expansion
    averages over, itself included; 1 switches it off. original_weight: λ, the share of the original distance,
    0 to 1.
    """

    k1: Count
    k2: Count
    original_weight: Share

    def __post_init__(self) -> None:
        if self.k2 > self.k1:
            raise GenreidError(
                f"k2 is {self.k2} and k1 {self.k1}: expected at most k1, whose neighbours it averages over; "
                "lower k2 or raise k1"
            )


@dataclass(frozen=True)
class EvaluateSettings:
    """split: `val` in studies; a study scores `test` once, at its end.

    max_rank: of the CMC curve. num_generated: queries whose generated views are measured; the spread of one
    is nothing. num_ranked_lists: queries in the picture. reranking: None for none. test_views: ways of
    looking that are held beside the image alone, see `genreid.data.ways`; the figures of the encoders stay
    those of the image alone.
    """

    seed: Seed
    split: Literal["test", "val"]
    batch_size: Count
    max_rank: Count
    num_generated: TwoOrMore
    num_ranked_lists: Count
    reranking: RerankingSettings | None
    test_views: tuple[WayName, ...]
