from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from genreid.errors import GenreidError
from genreid.evaluation.comparison import compare


def figures(values: dict[str, dict[tuple[int, int], float]]) -> pd.Series:
    """By arm, warm-up and seed."""
    rows = {(arm, *pair): value for arm, own in values.items() for pair, value in own.items()}
    return pd.Series(rows).rename_axis(["arm", "warm_up", "seed"])


FIGURES = figures(
    {
        "base": {(1, 1): 40.0, (1, 2): 42.0, (2, 1): 50.0, (2, 2): 52.0},
        "better": {(1, 1): 43.0, (1, 2): 44.0, (2, 1): 51.0, (2, 2): 52.0},
        "once": {(2, 1): 47.0},
        "elsewhere": {(2, 2): 53.0, (3, 1): 90.0},
    }
)


def test_differences_are_taken_pair_by_pair() -> None:
    """By hand: +3 and +2, +1 and 0."""
    better = compare(FIGURES, "base")["better"]
    assert better.pairs.to_dict() == {(1, 1): 3.0, (1, 2): 2.0, (2, 1): 1.0, (2, 2): 0.0}
    assert better.by_warm_up.to_dict() == {1: 2.5, 2: 0.5}
    assert better.mean == 1.5


def test_a_warm_up_counts_once_however_many_seeds_it_has() -> None:
    """By hand: warm-up means 2, 4 and 9 have the mean 5, the variance (9 + 1 + 16)/2 = 13, t(2) = 4.3027."""
    seeds = {(1, 1): 1.0, (1, 2): 2.0, (1, 3): 3.0, (2, 1): 4.0, (3, 1): 8.0, (3, 2): 10.0}
    found = compare(figures({"base": dict.fromkeys(seeds, 0.0), "arm": seeds}), "base")["arm"]
    assert found.mean == 5.0
    assert found.standard_error is not None
    assert found.interval is not None
    np.testing.assert_allclose(found.standard_error, math.sqrt(13 / 3))
    np.testing.assert_allclose(found.interval, 5 + np.array([-1, 1]) * 4.3027 * math.sqrt(13 / 3), rtol=1e-4)


def test_the_study_s_four_warm_ups() -> None:
    """8.0, 5.4, 5.9, 6.7: mean 6.5, variance (1.5² + 1.1² + 0.6² + 0.2²)/3 = 1.2867, t(3) = 3.1824."""
    gains = {(number, 1): gain for number, gain in enumerate((8.0, 5.4, 5.9, 6.7), start=1)}
    found = compare(figures({"base": dict.fromkeys(gains, 0.0), "arm": gains}), "base")["arm"]
    assert found.standard_error is not None
    assert found.interval is not None
    assert (round(found.mean, 1), round(found.standard_error, 1)) == (6.5, 0.6)
    np.testing.assert_allclose(found.standard_error, math.sqrt(1.2867 / 4), rtol=1e-4)
    assert tuple(round(end, 1) for end in found.interval) == (4.7, 8.3)


@pytest.mark.parametrize("arm", ["better", "once"])
def test_of_two_warm_ups_or_one_nothing_is_said_but_the_values(arm: str) -> None:
    found = compare(FIGURES, "base")[arm]
    assert found.standard_error is None
    assert found.interval is None


def test_what_the_reference_lacks_is_not_compared() -> None:
    compared = compare(FIGURES, "base")
    assert set(compared) == {"better", "once", "elsewhere"}
    assert compared["elsewhere"].pairs.to_dict() == {(2, 2): 1.0}


def test_nothing_to_compare_with() -> None:
    with pytest.raises(GenreidError, match="the reference arm 'base' has no finished trial"):
        compare(figures({"better": {(1, 1): 1.0}}), "base")
    with pytest.raises(GenreidError, match="arm 'better' shares no warm-up and seed with 'base'"):
        compare(figures({"base": {(1, 1): 1.0}, "better": {(1, 2): 1.0}}), "base")
