"""How long a piece of work takes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def seconds_of(work: Callable[[], object], device: torch.device | None = None) -> float:
    """Wall-clock seconds of `work`, on `device` too, where it leaves something to be done there."""
    started = time.perf_counter()
    work()
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def least_seconds_of(work: Callable[[], object], device: torch.device | None = None, times: int = 3) -> float:
    """The least of several times: what `work` takes when other programs leave the cores to it.

    A single time on a busy machine can be ten times as long, where threads wait for one another."""
    return min(seconds_of(work, device) for _ in range(times))
