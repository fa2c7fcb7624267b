"""Worker processes for work that holds Python's lock."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2
import torch


def process_pool(
    num_workers: int, start: Callable[..., None] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """Processes of one thread each; every one calls `start(*arguments)` once, before its first work."""
    # Spawned, because a fork would copy locks that another thread of this process holds.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(num_workers, context, _start_alone, (start, arguments))


def _start_alone(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if start is not None:
        start(*arguments)
