from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices, workers and intervals that the developer has set do not reach the tests."""
    for name in [name for name in os.environ if name.startswith("GENREID_")]:
        monkeypatch.delenv(name)
