"""What an embedding gains that is the mean over several pictures of its image, and which is worth its cost.

Beyond the paper, which embeds the image alone. The way to take is decided on validation identities, never on
those of the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from genreid.data.settings import WayName
from genreid.evaluation.retrieval import Pair, rank_pair, without_camera_means

WAYS: tuple[WayName, ...] = ("image", "mirror", "copies", "turned")
"""From the cheapest to the dearest."""
FIGURES = ("mAP", "rank_1", "centred_mAP", "centred_rank_1")
"""`centred`: with each camera's mean taken off."""
_WORTH = 0.5
"""Points of mAP that a dearer way has to add."""

Scores = Mapping[WayName, Mapping[str, float]]
"""Of each way its FIGURES, in percent."""


@dataclass(frozen=True)
class Looking:
    """What the ways came to: by encoder, on the split that is evaluated; on the validation identities, the
    joint encoder's, None where there are none.

    milliseconds: of each way, for an image: making its pictures of a body that is known, and embedding them.
    """

    encoders: Mapping[str, Scores]
    validation: Scores | None
    milliseconds: Mapping[WayName, float]

    @property
    def recommended(self) -> WayName | None:
        """What the joint encoder's user should take; None where no validation identity tells."""
        return None if self.validation is None else worth_taking(self.validation)

    def figures(self) -> dict[str, float]:
        """All of them, flat: `joint_mirror_mAP`."""
        scores = dict(self.encoders)
        if self.validation is not None:
            scores["validation"] = self.validation
        return {
            f"{name}_{way}_{figure}": value
            for name, ways in scores.items()
            for way, figures in ways.items()
            for figure, value in figures.items()
        }


def ways_beside(asked: Sequence[WayName]) -> list[WayName]:
    """The image itself and those that are asked for, the cheapest first."""
    return [way for way in WAYS if way == "image" or way in asked]


def score(embedded: Mapping[str, torch.Tensor], pair: Pair) -> dict[str, float]:
    """The FIGURES of a pair whose ranking is defined; embedded: what `embed_pair` gave."""
    found: dict[str, float] = {}
    for prefix, rows in {"": embedded, "centred_": without_camera_means(embedded, pair)}.items():
        result = rank_pair(rows, pair, 1, None).result
        assert result is not None
        found |= {f"{prefix}mAP": 100 * result.mean_ap, f"{prefix}rank_1": 100 * float(result.cmc[0])}
    return found


def worth_taking(scores: Scores) -> WayName:
    """The cheapest of the ways whose mAP is at most half a point below the best one's."""
    best = max(figures["mAP"] for figures in scores.values())
    return next(way for way in WAYS if way in scores and scores[way]["mAP"] >= best - _WORTH)
