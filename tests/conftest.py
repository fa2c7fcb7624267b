from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """The processes that tests begin find `pipeline` and `stages`: an environment holds `genreid` alone."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices, workers and intervals that the developer has set do not reach the tests."""
    for name in [name for name in os.environ if name.startswith("GENREID_")]:
        monkeypatch.delenv(name)
