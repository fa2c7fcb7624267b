"""Rounding is done here by hand, so that it is there on every processor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from genreid.clustering import exhaustive, rounded
from genreid.clustering.blocks import upper_blocks
from genreid.clustering.neighbours import nearest_neighbours
from tests.genreid.clustering.naive import naive_ranks, person_features, squared_distances

KINDS = [torch.bfloat16, torch.int8]


@pytest.fixture(params=KINDS, ids=["bfloat16", "int8"])
def rounding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that multiplies rounded rows quickly, and takes few rows for many."""

    def blocks(x: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
        assert x.dtype == request.param
        exact = torch.int32 if x.dtype == torch.int8 else torch.float32
        for row in range(0, len(x), 128):
            for column in range(row, len(x), 128):
                product = x[row : row + 128].to(exact) @ x[column : column + 128].to(exact).T
                yield row, column, product if x.dtype == torch.int8 else product.bfloat16()

    monkeypatch.setattr(exhaustive, "MIN_ROWS", 1)
    monkeypatch.setattr(exhaustive, "upper_blocks", blocks)
    monkeypatch.setattr(rounded, "quickest", lambda: request.param)


@pytest.mark.usefixtures("rounding")
@pytest.mark.parametrize("width", [64, 100, 1024])
@pytest.mark.parametrize("spread", [0.05, 0.8])
def test_neighbours_are_those_of_all_similarities(spread: float, width: int) -> None:
    """At a spread of 0.05 images of one person are nearer than rounding can tell, and looked at again."""
    features = person_features(500, width, 5, spread, seed=1)
    found = nearest_neighbours(features, 10, method="torch")
    expected = nearest_neighbours(features, 10, method="faiss")
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.similarity, expected.similarity)
    np.testing.assert_array_equal(found.index[:, 0], np.arange(500))
    if spread > 0.5:
        np.testing.assert_array_equal(found.index, naive_ranks(features, 10))


@pytest.mark.usefixtures("rounding")
@pytest.mark.parametrize("num", [10, 400])
def test_the_farthest_image_is_that_of_all_distances(num: int) -> None:
    features = person_features(num, 64, 2, 0.05, seed=2)
    found = nearest_neighbours(features, 5, method="torch", with_farthest=True)
    assert found.farthest is not None
    np.testing.assert_allclose(found.farthest, squared_distances(features).max(1), atol=1e-6)


def test_the_bound_holds_for_the_worst_rows() -> None:
    """All numbers nearly half-way between two that bfloat16 has, and of one sign: the errors add up."""
    halfway = torch.full((1, 1024), (1 + 0.99 * 2.0**-8) / 32)
    rows = torch.cat([halfway, torch.from_numpy(person_features(50, 1024, 5, 0.5, seed=3))])
    factors = rounded.round_rows(rows, torch.bfloat16)
    product = (factors.rows.double() @ factors.rows.double().T).bfloat16()
    apart = (rows.double() @ rows.double().T - product.double()).abs().max()
    assert 0.007 < apart < factors.error < 0.012


def test_the_bound_is_close_for_ordinary_rows() -> None:
    rows = torch.from_numpy(person_features(300, 512, 5, 0.5, seed=4))
    assert 0.004 < rounded.round_rows(rows, torch.bfloat16).error < 0.006


def test_blocks_of_rounded_rows_are_rounded() -> None:
    x = torch.from_numpy(person_features(70, 32, 5, 0.5, seed=5)).bfloat16()
    ((row, column, block),) = upper_blocks(x)
    assert (row, column, block.dtype) == (0, 0, torch.bfloat16)
    torch.testing.assert_close(block, (x.float() @ x.float().T).bfloat16(), atol=2.0**-8, rtol=0)


@pytest.mark.parametrize(
    ("bfloat16", "int8", "expected"),
    [
        (1.1, 1.9, torch.float32),
        (1.1, 2.1, torch.int8),
        (6.0, 7.0, torch.bfloat16),
        (6.0, 7.3, torch.int8),
        (2.5, 0.0, torch.bfloat16),
    ],
)
def test_the_quickest_kind_that_is_worth_it_is_taken(
    bfloat16: float, int8: float, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounded, "speeds", lambda: {torch.bfloat16: bfloat16, torch.int8: int8})
    assert rounded.quickest() == expected


def test_a_product_that_is_cut_off_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As processors do that add products of int8 in 16 bits."""
    real = rounded.product_of

    def cut(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        product = real(left, right)
        return product.clamp(max=32767) if left.dtype == torch.int8 else product

    monkeypatch.setattr(rounded, "product_of", cut)
    rounded.speeds.cache_clear()
    speeds = rounded.speeds()
    rounded.speeds.cache_clear()
    assert speeds[torch.int8] == 0 < speeds[torch.bfloat16]
