from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """The processes that tests begin find `pipeline` and `stages`: an environment holds `genreid` alone."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])


_LONGEST = ("test_tutorial.py", "test_smoke.py", "test_kill.py")
"""The files that take minutes, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first: the last one to begin would have all other processes wait for it."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices, workers and intervals that the developer has set do not reach the tests."""
    for name in [name for name in os.environ if name.startswith("GENREID_")]:
        monkeypatch.delenv(name)
