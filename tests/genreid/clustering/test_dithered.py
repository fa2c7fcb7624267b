"""Rows in int8 against the rows themselves, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from genreid.clustering import dithered
from genreid.clustering.dithered import dithered_rows
from tests.genreid.clustering.naive import person_features


def errors(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Every product's error, and the bound."""
    rows, unit, error = dithered_rows(x)
    assert rows.dtype == torch.int8 and len(rows) == len(x)
    wide = rows.double().numpy()
    return unit * (wide @ wide.T) - x.astype(np.float64) @ x.astype(np.float64).T, error


def peaks(num: int, width: int) -> np.ndarray:
    """Rows all of whose length lies in one number, the worst for steps of one size."""
    rows = np.zeros((num, width), np.float32)
    rows[np.arange(num), np.random.default_rng(0).integers(width, size=num)] = 1
    return rows


@pytest.mark.parametrize("width", [1, 48, 100, 256, 768, 1000, 1280, 2048])
def test_no_product_is_off_by_more_than_the_bound(width: int) -> None:
    for x in (person_features(200, width, 5, 0.5, seed=width), peaks(200, width), -peaks(50, width)):
        apart, error = errors(x)
        assert np.abs(apart).max() < error


def test_the_bound_for_ordinary_rows_is_that_of_the_text() -> None:
    """0.021 for rows of 2048 numbers; errors themselves are far smaller."""
    apart, error = errors(person_features(600, 2048, 5, 0.5, seed=1))
    assert 0.019 < error < 0.022
    assert apart[~np.eye(len(apart), dtype=bool)].std() < error / 12


def test_the_bound_is_hoeffdings() -> None:
    """By hand for 100 equal rows (1, 0, …) of 256 numbers: turned, each number is ±1/16."""
    x = np.zeros((100, 256), np.float32)
    x[:, 0] = 1
    _, unit, error = dithered_rows(x)
    step = 6.25 / 16 / 63
    assert unit == pytest.approx(step**2, rel=1e-5)
    by_chance = 2 * step * np.sqrt(np.log(2 * 100**2 / 1e-9) / 2)
    # ±10.08 steps become 10 or 11, −10 or −11: 256 errors of 0.08 or 0.92 steps.
    least, most = 256 * (0.08 * step) ** 2, 256 * (0.92 * step) ** 2
    assert by_chance + least < error < by_chance + most + 1e-5


def test_longer_rows_are_given_larger_steps() -> None:
    ordinary = person_features(300, 2048, 5, 0.5, seed=2)
    assert dithered_rows(3 * ordinary)[1] > 2 * dithered_rows(ordinary)[1]
    apart, error = errors(3 * ordinary)
    assert np.abs(apart).max() < error


def test_steps_fill_seven_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first guess is far too small, the second one fits."""
    monkeypatch.setattr(dithered, "_REACH", 0.5)
    rows, _, _ = dithered_rows(person_features(300, 512, 5, 0.5, seed=3))
    assert 60 <= int(rows.abs().max()) <= 63


@pytest.mark.parametrize("num", [1, 2, 4, 8, 32])
def test_rows_are_multiplied_by_hadamards_matrix(num: int) -> None:
    """As plain Python too, where an array is as long as it says."""
    row = np.random.default_rng(num).normal(size=num).astype(np.float32)
    expected = scipy.linalg.hadamard(num) @ row
    for mix in (dithered._mix, dithered._mix.py_func):
        turned = row.copy()
        mix(turned, 1)
        np.testing.assert_allclose(turned, expected, atol=1e-5)
