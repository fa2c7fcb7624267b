"""The model of cost against what a run does: counted, not timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import sharded_model
from benchmarks.clustering import SETTINGS
from benchmarks.inputs import people
from benchmarks.sharded_model import Rates
from genreid.clustering import blocks
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import search, shelf
from genreid.clustering.sharded.by_workers import cluster_by_workers, even_bounds
from genreid.clustering.sharded.shelf import Shelf

NUM, WIDTH, PIECES = 1800, 64, 3
RATES = Rates(1e-9, 1e-9, 1e-7, 1e-9, 1e-7, 1e-8, 1e-4, 1e-8, 13, 80)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """Multiply-adds, and bytes read of files, of a run in three pieces, in small blocks."""
    found = {"multiply_adds": 0.0, "read": 0.0}
    multiply, rows_in, get = blocks._multiply, Shelf.rows_in, Shelf.get

    def counting_multiply(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> None:
        found["multiply_adds"] += len(left) * len(right) * left.shape[1]
        multiply(left, right, out)

    def counting_rows(self: Shelf, ranges: Any, into: np.ndarray) -> Any:
        for block, rows in rows_in(self, ranges, into):
            found["read"] += rows.nbytes
            yield block, rows

    def counting_get(self: Shelf, name: str, piece: int, *arrays: str) -> list[np.ndarray]:
        kept = get(self, name, piece, *arrays)
        found["read"] += sum(array.nbytes for array in kept) if name != "pairs" else 0
        return kept

    monkeypatch.setattr(blocks, "_multiply", counting_multiply)
    monkeypatch.setattr(Shelf, "rows_in", counting_rows)
    monkeypatch.setattr(Shelf, "get", counting_get)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 16)
    monkeypatch.setattr(shelf, "BLOCK_NUMBERS", 64 * WIDTH)
    monkeypatch.setattr(search, "int8_is_quick", lambda: True)
    rows = people(NUM, WIDTH).features.numpy()
    filled = Shelf.filled(tmp_path, rows, even_bounds(NUM, PIECES))
    worker = sharded_model._Clock()
    cluster_by_workers(worker, filled, PseudoLabelSettings(method="exact", **SETTINGS))
    for name in ("expanded", "mean"):
        found[name] = float(np.mean([filled.get(name, piece, "counts")[0].mean() for piece in range(PIECES)]))
    return found


def test_multiply_adds_and_bytes_are_those_of_a_run(counted: dict[str, float]) -> None:
    rates = Rates(*(1e-9,) * 8, counted["expanded"], counted["mean"])
    told = sharded_model.cost(rates, NUM, WIDTH, NUM // PIECES)
    assert PIECES * told.multiply_adds == pytest.approx(counted["multiply_adds"], rel=0.02)
    assert PIECES * told.read_gb * 1e9 == pytest.approx(counted["read"], rel=0.05)


def test_halving_the_pieces_halves_memory_and_time_of_each() -> None:
    one, two = (sharded_model.cost(RATES, 10**7, 256, rows) for rows in (2 * 10**5, 10**5))
    assert one.memory_gb / two.memory_gb == pytest.approx(2, rel=0.1)
    assert one.seconds / two.seconds == pytest.approx(2, rel=0.1)
    assert one.read_gb == pytest.approx(two.read_gb, rel=0.05), "all rows pass by each piece"


def test_the_forecast_has_a_line_a_size() -> None:
    lines = sharded_model.forecast(RATES).splitlines()
    assert len(lines) == 2 + 9 and all(line.count("|") == lines[0].count("|") for line in lines)
