"""Batches made while the main thread computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
import torch

from genreid.data.batch import Batch
from genreid.seeding import numpy_rng, torch_rng
from genreid.training.run import Run

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


MakeBatch = Callable[[int, np.ndarray, np.random.Generator, torch.Generator], Batch]
"""The batch of a step: its number, positions (B,) of images, what is random in it, who is painted as whom."""


def batches_ahead(
    order: Iterator[np.ndarray], run: Run, seed: int, make: MakeBatch
) -> Iterator[tuple[np.random.Generator, Batch]]:
    """The batches of the epoch that are still to do, each with its step's random numbers and made ahead.

    order: (B,) positions of images, step by step from the epoch's start.
    """
    # The run goes on while these are made.
    epoch, first = run.epoch, run.step

    def batches() -> Iterator[tuple[np.random.Generator, Batch]]:
        for step, index in enumerate(islice(order, first, run.steps_per_epoch), start=first):
            rng = numpy_rng(seed, "step", epoch, step)
            yield rng, make(step, index, rng, torch_rng(seed, "partners", epoch, step))

    return one_ahead(batches())
