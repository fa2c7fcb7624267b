"""Arms of a study beside a reference, pair by pair, with an error that counts warm-ups.

Trials of the same warm-up and the same seed differ in their arm alone, so what is compared is the difference
within a pair: what all arms owe to a lucky warm-up cancels. Trials of one warm-up are alike, whatever their
seeds, so that a warm-up is one observation: the mean difference over its pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from scipy import stats

from genreid.errors import GenreidError

ENOUGH_WARM_UPS = 3
"""Of fewer, the values themselves say more than their mean and its error."""


@dataclass(frozen=True)
class Difference:
    """An arm's figure minus the reference's.

    pairs: for each (warm_up, seed) that both have.
    """

    pairs: pd.Series

    @property
    def by_warm_up(self) -> pd.Series:
        """The mean over the seeds of each warm-up."""
        return self.pairs.groupby("warm_up").mean()

    @property
    def mean(self) -> float:
        """Over the warm-ups, each of which counts once."""
        return float(self.by_warm_up.mean())

    @property
    def standard_error(self) -> float | None:
        """Of the mean: the warm-ups' standard deviation (n − 1) over √n; None for too few warm-ups."""
        values = self.by_warm_up
        return float(stats.sem(values)) if len(values) >= ENOUGH_WARM_UPS else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean over all warm-ups, at 95 % (Student's t); None for too few warm-ups."""
        error, freedom = self.standard_error, len(self.by_warm_up) - 1
        if error is None:
            return None
        reach = float(stats.t.ppf(0.975, freedom)) * error
        return self.mean - reach, self.mean + reach


def compare(figures: pd.Series, reference: str) -> dict[str, Difference]:
    """Every other arm's difference to the `reference`. figures: by arm, warm_up and seed, none of them NaN.

    Raises GenreidError when the reference has no figure, or an arm shares no pair with it.
    """
    arms = figures.unstack("arm")
    if reference not in arms:
        raise GenreidError(f"the reference arm '{reference}' has no finished trial: run it first")
    found = {}
    for arm in arms.columns.drop(reference):
        pairs = (arms[arm] - arms[reference]).dropna()
        if pairs.empty:
            raise GenreidError(
                f"arm '{arm}' shares no warm-up and seed with '{reference}': run the same ones of both"
            )
        found[str(arm)] = Difference(pairs)
    return found
