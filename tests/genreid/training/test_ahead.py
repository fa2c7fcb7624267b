"""Batches that are made ahead: in order, one at a time, and nothing is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from genreid.training.ahead import one_ahead


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(one_ahead(iter(range(20)))) == list(range(20))
    assert list(one_ahead(iter(()))) == []
    assert _threads() == []


def test_one_item_is_made_while_another_is_in_use() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    deadline = time.monotonic() + 10
    while len(made) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert made == [0, 1], "the next one, and no further"


def test_an_error_comes_in_its_items_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="the second"):
        next(ahead)
    assert _threads() == []


def test_who_stops_early_leaves_no_thread() -> None:
    ahead = one_ahead(iter(range(5)))
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert _threads() == []
