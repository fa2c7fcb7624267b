"""What the generated views are expected to take, by a clock that is moved by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genreid import timing
from genreid.evaluation import generated_views
from tests.clock import Clock


@pytest.mark.parametrize(("num_viewed", "num_asked", "queries"), [(300, 120, 120), (50, 120, 50), (1, 9, 1)])
def test_a_few_queries_tell_what_all_will_take(
    monkeypatch: pytest.MonkeyPatch, num_viewed: int, num_asked: int, queries: int
) -> None:
    """7 s a query, and 100 s for the first time."""
    clock, first, measured = Clock(), [100], []
    painter: Any = object()

    def measure(_painter: Any, _judge: Any, _viewed: Any, index: np.ndarray, **_options: Any) -> None:
        measured.extend(index.tolist())
        clock.seconds += 7 * len(index) + (first.pop() if first else 0)

    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(generated_views, "measure_generation", measure)
    viewed: Any = SimpleNamespace(position=2 * np.arange(num_viewed))
    assert generated_views.expected_seconds(painter, painter, viewed, num_asked, 128) == 7 * queries
    assert set(measured) <= set(viewed.position.tolist()) and len(measured) <= 3
