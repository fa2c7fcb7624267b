"""Which rank this process is of those that train together, if it is one: see `stages.shared.ranks`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pipeline.errors import PipelineError


class LostRank(Exception):
    """Another rank of this run has ended, or cannot be reached. Told in one line, with exit code 1."""


@dataclass(frozen=True)
class Place:
    """rank: from 0, which alone writes, prints and keeps state; num: how many ranks; local_rank: which of
    those on this machine; meeting: where they find each other, as torch.distributed's `init_method`."""

    rank: int
    num: int
    local_rank: int
    meeting: str


_given: Place | None = None


def give_place(place: Place) -> None:
    """Of a process that a command has started to be a rank of its own."""
    global _given
    _given = place


def own_place() -> Place | None:
    """The place that this process was given, by another one of ours or by torchrun; None of one alone."""
    if _given is not None:
        return _given
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if any(name not in os.environ for name in names):
        return None
    try:
        rank, num = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK", rank))
    except ValueError:
        raise PipelineError(
            "RANK, WORLD_SIZE or LOCAL_RANK in the environment is no number: start ranks by `torchrun`, or "
            "by --ranks"
        ) from None
    return Place(rank, num, local, "env://")
