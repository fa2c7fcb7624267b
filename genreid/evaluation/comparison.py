"""Arms of a study side by side: mean, spread, and the difference to a reference pair by pair.

Trials of the same warm-up and the same seed differ in their arm alone, so what is compared is the difference
within a pair: what all arms owe to a lucky warm-up cancels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genreid.errors import GenreidError

Pairing = tuple[int, int]
"""Warm-up and seed of a trial."""


@dataclass(frozen=True)
class Difference:
    """An arm's figure minus the reference's.

    pairs: the difference for each warm-up and seed that both have. mean: over the pairs. standard_error: of
    that mean, the pairs' standard deviation over √n; NaN for fewer than two.
    by_warm_up: the mean over the seeds of each warm-up; trials of one warm-up are alike, so that with several
    warm-ups their spread is the stricter judge.
    """

    pairs: Mapping[Pairing, float]

    @property
    def mean(self) -> float:
        return _mean(list(self.pairs.values()))

    @property
    def standard_error(self) -> float:
        return deviation(list(self.pairs.values())) / math.sqrt(max(len(self.pairs), 1))

    @property
    def by_warm_up(self) -> dict[int, float]:
        warm_ups = sorted({warm_up for warm_up, _ in self.pairs})
        return {w: _mean([value for pair, value in self.pairs.items() if pair[0] == w]) for w in warm_ups}


@dataclass(frozen=True)
class Comparison:
    """values: an arm's figure by warm-up and seed. difference: to the reference; None for the reference."""

    values: Mapping[Pairing, float]
    difference: Difference | None

    @property
    def mean(self) -> float:
        return _mean(list(self.values.values()))

    @property
    def deviation(self) -> float:
        """Standard deviation over the trials (n − 1); NaN for fewer than two."""
        return deviation(list(self.values.values()))


def compare(figures: Mapping[str, Mapping[Pairing, float]], reference: str) -> dict[str, Comparison]:
    """Every arm beside the `reference`; figures: by arm, then by warm-up and seed.

    Raises GenreidError when the reference has no figure, or an arm shares no pair with it.
    """
    if not figures.get(reference):
        raise GenreidError(f"the reference arm '{reference}' has no finished trial: run it first")
    base = figures[reference]
    found = {}
    for arm, values in figures.items():
        pairs = {pair: value - base[pair] for pair, value in values.items() if pair in base}
        if not pairs:
            raise GenreidError(
                f"arm '{arm}' shares no warm-up and seed with '{reference}': run the same ones of both"
            )
        found[arm] = Comparison(dict(values), None if arm == reference else Difference(pairs))
    return found


def deviation(values: Sequence[float]) -> float:
    """Standard deviation with n − 1; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
