"""Who makes pieces of work: this process, processes beside it, or others that fit `Workers`."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import cv2
import torch

from pipeline.ending import end_with_parent, signals_blocked, undisturbed
from pipeline.errors import PipelineError

S = TypeVar("S")
T = TypeVar("T")
_AHEAD = 8


class Workers(Protocol):
    """Makes what a function returns. Each worker has called a function `start` once, before its first work.

    num_workers: how many work at a time. num_calls: how many threads should ask, so that every worker has
    always something to do.
    """

    @property
    def num_workers(self) -> int: ...

    @property
    def num_calls(self) -> int: ...

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function(*arguments)` returns or raises in one of them; any thread may ask.

        Raises PipelineError where workers were killed: that says nothing of their pictures.
        """
        ...


class Here:
    """This process, for work that leaves Python's lock alone, or that has threads of its own."""

    def __init__(self, num_calls: int) -> None:
        self.num_workers = self.num_calls = num_calls

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)


class Processes:
    """Processes of one thread each; see `process_pool`."""

    def __init__(self, pool: ProcessPoolExecutor, num_calls: int) -> None:
        self._pool = pool
        self.num_workers = self.num_calls = num_calls

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            with undisturbed(), signals_blocked():  # a submission may start a process
                done = self._pool.submit(_after_start, function, *arguments)
            return done.result()
        except BrokenProcessPool:
            raise PipelineError(
                "a worker process was killed, most often for want of memory: free some, or take fewer "
                "--workers, and run the command again: it goes on from what is kept"
            ) from None


def in_order(make: Callable[[S], T], items: Iterable[S], num_threads: int) -> Iterator[T]:
    """What `make` returns for each item, in order; an error stops the work that has not begun.

    So many threads work ahead of who takes the results, and no further than a few items each.
    """
    if num_threads == 1:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) == _AHEAD * num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def process_pool(
    num_workers: int, start: Callable[..., object] | None = None, *arguments: Any
) -> Iterator[Processes]:
    """Processes of one thread each; every one calls `start(*arguments)` once, before its first work.

    What `start` raises, the first `call` raises.
    """
    # Spawned, because a fork would copy locks that another thread of this process holds.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, _start_alone, (start, arguments)) as pool:
        yield Processes(pool, num_workers)


# What follows runs in the worker processes.

_failure: Exception | None = None


def _start_alone(start: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    global _failure
    end_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if start is not None:
        try:
            start(*arguments)
        except Exception as error:  # raised here, it would be printed and leave a broken pool
            _failure = error


def _after_start(function: Callable[..., T], *arguments: Any) -> T:
    if _failure is not None:
        raise _failure
    return function(*arguments)
