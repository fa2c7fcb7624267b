"""Worker processes for work that holds Python's lock."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import cv2
import torch

from pipeline.ending import end_with_parent, signals_blocked, undisturbed
from pipeline.errors import PipelineError

T = TypeVar("T")


class Workers:
    """Processes of one thread each; see `process_pool`."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function(*arguments)` returns or raises in one of them; any thread may ask.

        Raises PipelineError where a worker was killed: that says nothing of its pictures.
        """
        try:
            with undisturbed(), signals_blocked():  # a submission may start a process
                done = self._pool.submit(_after_start, function, *arguments)
            return done.result()
        except BrokenProcessPool:
            raise PipelineError(
                "a worker process was killed, most often for want of memory: free some, or take fewer "
                "--workers, and run the command again: it goes on from what is kept"
            ) from None


@contextmanager
def process_pool(
    num_workers: int, start: Callable[..., object] | None = None, *arguments: Any
) -> Iterator[Workers]:
    """Processes of one thread each; every one calls `start(*arguments)` once, before its first work.

    What `start` raises, the first `call` raises.
    """
    # Spawned, because a fork would copy locks that another thread of this process holds.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, _start_alone, (start, arguments)) as pool:
        yield Workers(pool)


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
