"""Same person or not: what a similarity says, as shares of pairs of images.

Beyond the paper. Two images are taken for one person where their cosine similarity is at least a cut. The
false match rate is the share of pairs of different persons that are then taken for one, the miss rate the
share of pairs of one person that are not (ISO/IEC 19795-1). Where there is more than one camera, only pairs
of two cameras count: those of one are easier.

N images, D embedding width, T cuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from genreid.data.settings import WayName
from genreid.errors import GenreidError
from genreid.seeding import numpy_rng

CUTS = np.linspace(-1.0, 1.0, 401)
"""(T,) similarities, 0.005 apart."""
MOST_IMAGES = 4096
"""Of more images, whole persons are drawn: the pairs of so many tell rates down to one in some millions."""
_BLOCK = 512
_TOLD = 1e-3
_POWERS = [-power / 4 for power in range(24, -1, -1)]

Source = Literal["identities", "pseudo-identities"]
"""Whose pairs were counted: known persons, or clusters that training took for persons."""


@dataclass(frozen=True)
class MatchCurve:
    """false_match_rate, miss_rate: T shares, 0 to 1, at CUTS. num_same, num_different: pairs counted."""

    source: Source
    num_same: int
    num_different: int
    false_match_rate: tuple[float, ...]
    miss_rate: tuple[float, ...]

    def false_matches_at(self, similarity: float) -> float:
        """The false match rate of a cut at `similarity`, or at the next lower of CUTS: never too small."""
        return self.false_match_rate[max(0, int(np.searchsorted(CUTS, similarity, side="right")) - 1)]

    def tells(self, false_match_rate: float) -> bool:
        """Whether one pair or more of those that were counted makes this rate."""
        return false_match_rate * self.num_different >= 1

    def cut_at(self, false_match_rate: float) -> float:
        """The lowest of CUTS with at most this false match rate.

        Raises GenreidError where so few pairs were counted that none of this rate can be told.
        """
        if not self.tells(false_match_rate):
            raise GenreidError(
                f"a false match rate of {false_match_rate:g} cannot be told by {self.num_different} pairs of "
                f"different persons: take {1 / max(1, self.num_different):.1g} or more"
            )
        allowed = np.asarray(self.false_match_rate) <= false_match_rate
        return float(CUTS[int(np.argmax(allowed))]) if allowed.any() else 1.0

    def misses_at(self, false_match_rate: float) -> float:
        """The miss rate at the cut of a false match rate. Raises GenreidError as `cut_at` does."""
        return self.miss_rate[int(np.searchsorted(CUTS, self.cut_at(false_match_rate)))]

    @property
    def equal_error_rate(self) -> float:
        """The mean of both rates at the cut where they are closest to each other."""
        false, missed = np.asarray(self.false_match_rate), np.asarray(self.miss_rate)
        at = int(np.argmin(np.abs(false - missed)))
        return float(false[at] + missed[at]) / 2

    def as_plain(self) -> dict[str, Any]:
        """Plain types, for a file."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}

    @classmethod
    def from_plain(cls, values: Any, place: str, remedy: str) -> MatchCurve:
        """What `as_plain` gave, from the file `place`. Raises GenreidError where it is another thing."""
        known = isinstance(values, Mapping) and set(values) == {field.name for field in fields(cls)}
        if known:
            rates = [values["false_match_rate"], values["miss_rate"]]
            known = all(isinstance(rate, list) and len(rate) == len(CUTS) for rate in rates)
        if not known or not _are_rates(rates):
            raise GenreidError(f"{place}: its curve of matches is damaged; {remedy}")
        return cls(**{**values, "false_match_rate": tuple(rates[0]), "miss_rate": tuple(rates[1])})


MatchCurves = dict[str, MatchCurve]
"""By the way in which images were looked at: see `curve_name`."""


@dataclass(frozen=True)
class Matches:
    """Of the joint encoder: what known persons say, and what training believes; either may be empty."""

    measured: MatchCurves
    estimated: MatchCurves

    def figures(self) -> dict[str, float]:
        """In percent, of images that are looked at alone; nothing where nothing is measured.

        equal_error_rate; misses_at_1_in_1000: at the cut of that false match rate; found_at_1_in_1000: the
        false match rate that is found at the cut for which pseudo-identities promise one in a thousand.
        """
        measured, estimated = (curves.get("image") for curves in (self.measured, self.estimated))
        if measured is None:
            return {}
        found = {"equal_error_rate": 100 * measured.equal_error_rate}
        if measured.tells(_TOLD):
            found["misses_at_1_in_1000"] = 100 * measured.misses_at(_TOLD)
        if estimated is not None and estimated.tells(_TOLD):
            found["found_at_1_in_1000"] = 100 * measured.false_matches_at(estimated.cut_at(_TOLD))
        return found

    def det(self) -> list[dict[str, float]]:
        """Points of both detection error tradeoffs: the miss rate (%) at each false match rate that both can
        tell; none where one of the two is not known."""
        curves = {"measured": self.measured.get("image"), "estimated": self.estimated.get("image")}
        known = {name: curve for name, curve in curves.items() if curve is not None}
        if len(known) < len(curves):
            return []
        return [
            {"log10_false_match_rate": power}
            | {name: 100 * curve.misses_at(10**power) for name, curve in known.items()}
            for power in _POWERS
            if all(curve.tells(10**power) for curve in known.values())
        ]


def curve_name(way: WayName, centred: bool) -> str:
    """Of embeddings that are means over the pictures of `way`; centred: less the means of their cameras."""
    return f"{way} centred" if centred else way


def match_curve(
    rows: np.ndarray, person: np.ndarray, camera: np.ndarray, source: Source, *, seed: int
) -> MatchCurve | None:
    """The curve of N images by their (N, D) float32 unit rows; None where there is no pair of one kind.

    person: (N,) int, numbers of persons or clusters; images of a negative one are left out, since nobody
    knows who they are. camera: (N,) int. seed: draws persons where there are more than MOST_IMAGES images.
    """
    kept = drawn_persons(person, seed=seed)
    rows, person, camera = rows[kept], person[kept], camera[kept]
    one_camera = len(np.unique(camera)) < 2
    counts = np.zeros((2, len(CUTS)), np.int64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarity = rows[block] @ rows[start:].T
        counted = np.triu(np.ones(similarity.shape, bool), 1)
        if not one_camera:
            counted &= camera[block, None] != camera[None, start:]
        same = person[block, None] == person[None, start:]
        for kind, chosen in enumerate((counted & ~same, counted & same)):
            # Rounding makes a similarity of one image to itself a little more than 1.
            place = np.searchsorted(CUTS, similarity[chosen], side="right") - 1
            counts[kind] += np.bincount(np.maximum(place, 0), minlength=len(CUTS))
    num_different, num_same = (int(one) for one in counts.sum(1))
    if not num_same or not num_different:
        return None
    at_least = counts[:, ::-1].cumsum(1)[:, ::-1]
    false, missed = at_least[0] / num_different, 1 - at_least[1] / num_same
    return MatchCurve(source, num_same, num_different, tuple(false.tolist()), tuple(missed.tolist()))


def drawn_persons(person: np.ndarray, most: int = MOST_IMAGES, *, seed: int) -> np.ndarray:
    """Positions of the images of known persons, rising; of more than `most`, those of persons drawn at random
    until the next one would be too many."""
    known = np.flatnonzero(person >= 0)
    if len(known) <= most:
        return known
    names, number, size = np.unique(person[known], return_inverse=True, return_counts=True)
    order = numpy_rng(seed, "matches").permutation(len(names))
    taken = order[size[order].cumsum() <= most]
    return known[np.isin(number, taken)]


def _are_rates(rates: list[list[float]]) -> bool:
    """Whether both are shares, one falling along the cuts and one rising."""
    numbers = all(isinstance(value, float | int) for rate in rates for value in rate)
    if not numbers:
        return False
    false, missed = (np.asarray(rate, float) for rate in rates)
    inside = all(((rate >= 0) & (rate <= 1)).all() for rate in (false, missed))
    return bool(inside and (np.diff(false) <= 0).all() and (np.diff(missed) >= 0).all())
