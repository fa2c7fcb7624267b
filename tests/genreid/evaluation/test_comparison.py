from __future__ import annotations

import math

import numpy as np
import pytest

from genreid.errors import GenreidError
from genreid.evaluation.comparison import compare

FIGURES = {
    "base": {(1, 1): 40.0, (1, 2): 42.0, (2, 1): 50.0, (2, 2): 52.0},
    "better": {(1, 1): 43.0, (1, 2): 44.0, (2, 1): 51.0, (2, 2): 52.0},
    "once": {(2, 1): 47.0},
    "elsewhere": {(2, 2): 53.0, (3, 1): 90.0},
}


def test_differences_are_taken_pair_by_pair() -> None:
    """By hand: +3, +2, +1, 0: mean 1.5, variance (2.25 + 0.25 + 0.25 + 2.25)/3 = 5/3, error √(5/3)/2."""
    better = compare(FIGURES, "base")["better"]
    assert better.mean == 47.5
    np.testing.assert_allclose(better.deviation, np.std([43, 44, 51, 52], ddof=1))
    assert better.difference is not None
    assert better.difference.mean == 1.5
    np.testing.assert_allclose(better.difference.standard_error, math.sqrt(5 / 3) / 2)
    assert better.difference.by_warm_up == {1: 2.5, 2: 0.5}


def test_what_the_reference_lacks_is_not_compared() -> None:
    compared = compare(FIGURES, "base")
    assert compared["base"].difference is None
    elsewhere = compared["elsewhere"]
    assert elsewhere.difference is not None
    assert elsewhere.difference.pairs == {(2, 2): 1.0}
    assert elsewhere.mean == 71.5


def test_one_pair_has_no_spread() -> None:
    once = compare(FIGURES, "base")["once"]
    assert once.difference is not None
    assert once.difference.mean == -3
    assert math.isnan(once.difference.standard_error)
    assert math.isnan(once.deviation)


def test_nothing_to_compare_with() -> None:
    with pytest.raises(GenreidError, match="the reference arm 'base' has no finished trial"):
        compare({"better": {(1, 1): 1.0}}, "base")
    with pytest.raises(GenreidError, match="arm 'better' shares no warm-up and seed with 'base'"):
        compare({"base": {(1, 1): 1.0}, "better": {(1, 2): 1.0}}, "base")
