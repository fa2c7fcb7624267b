"""A clustering that takes 3 s for every pair of its rows, and 100 s for the first time."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genreid import timing
from genreid.clustering import speed
from genreid.clustering.settings import PseudoLabelSettings
from tests.clock import Clock


def test_the_seconds_of_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, first = Clock(), [100]
    settings = PseudoLabelSettings(k1=6, k2=2, eps=0.7, min_samples=2, method="exact")

    def cluster(rows: torch.Tensor, asked: Any) -> None:
        assert asked is settings and rows.shape[1] == 24
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
        clock.seconds += 3 * len(rows) ** 2 + (first.pop() if first else 0)

    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(speed, "cluster", cluster)
    assert speed.seconds_a_pair(settings, 24) == 3


def test_real_rows_cluster_in_a_time() -> None:
    settings = PseudoLabelSettings(k1=6, k2=2, eps=0.7, min_samples=2, method="exact")
    assert 0 < speed.seconds_a_pair(settings, 24) < 1e-3
