"""Work that is done in a thread while what came before is in use.

A file of its own, because a stage that loads no mesh views uses it too, and runs again where any code that it
imports has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items in their order, each made in a thread while the one before it is in use.

    An error is raised where its item would have come. The thread ends with the items, or when nobody asks
    for further ones.
    """
    ended = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, items, ended)
        while (item := coming.result()) is not ended:
            coming = pool.submit(next, items, ended)
            yield item  # type: ignore[misc]
