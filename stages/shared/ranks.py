"""Starting, joining and ending the ranks of a training: `--ranks`, or an outer `torchrun`.

Rank 0 is the command itself. It holds the stage's lock and state, and starts the others as processes that
call the same stage; those write, print and keep nothing. When one of them ends before its time, rank 0 says
so and ends all; they end with rank 0, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from threading import Event, Thread
from typing import Any

import torch
import torch.distributed as dist

from genreid.errors import GenreidError
from genreid.training.ranks import ALONE, Ranks, SeveralRanks
from pipeline.ending import (
    end_on_the_spot,
    end_untold,
    end_with_parent,
    signals_blocked,
    undisturbed,
)
from pipeline.errors import PipelineError, is_of_machine
from stages.shared.rank import LostRank, Place, give_place, own_place
from stages.shared.run import Options, StageRun, choose_device, section_name

_LONGEST_WAIT = timedelta(days=30)
"""Clustering many images on rank 0 takes hours; a rank that has ended is noticed in other ways."""
_GRACE_SECONDS = 5.0
_USERS_FAULT = 2
_AGAIN = "run the command again: it goes on from what is kept"


@contextmanager
def ranks_of(run: StageRun[Any]) -> Iterator[Ranks]:
    """The ranks that train together, of which this process is one; it may be alone.

    Sets the device of a run that has others. Raises PipelineError where they cannot be, LostRank where one
    has ended.
    """
    place, asked = own_place(), run.options.ranks or 1
    if place is None and asked == 1:
        yield ALONE
    elif place is None:
        with _others_started(run, asked) as place, _joined(run, place) as ranks:
            yield ranks
    elif asked not in (1, place.num):
        raise PipelineError(
            f"--ranks is {asked}, and {place.num} were started around this command (WORLD_SIZE): leave "
            "--ranks out"
        )
    else:
        with _joined(run, place) as ranks:
            yield ranks


@contextmanager
def _joined(run: StageRun[Any], place: Place) -> Iterator[Ranks]:
    """The ranks of which this process is the one at `place`."""
    if place.rank > 0:
        end_untold()
    run.device = _device(run.options.device, place)
    threads = torch.get_num_threads()
    if place.meeting != "env://":  # torchrun sees to that itself
        torch.set_num_threads(max(1, threads // place.num))
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if run.device.type == "cuda" else "gloo",
            init_method=place.meeting,
            rank=place.rank,
            world_size=place.num,
            timeout=_LONGEST_WAIT,
        )
        run.facts["ranks"] = place.num
        yield SeveralRanks(run.device)
        dist.destroy_process_group()
    except RuntimeError as error:
        if not _is_of_ranks(error):
            raise
        time.sleep(_GRACE_SECONDS)  # whoever knows which rank has ended says so, and ends this one
        raise LostRank(f"rank {place.rank} of {run.stage} has lost another one: {_AGAIN}") from None
    except Exception:
        if place.rank > 0:  # most often rank 0 meets the same, says so, and ends this one
            time.sleep(_GRACE_SECONDS)
        raise
    finally:
        torch.set_num_threads(threads)


def _device(name: str, place: Place) -> torch.device:
    """The device of a rank. Raises PipelineError where this machine has none for it."""
    kind = choose_device(name)
    if kind.type != "cuda":
        return kind
    if kind.index is not None:
        raise PipelineError(f"device {name}: ranks take a GPU each; give cuda, auto or cpu")
    if place.local_rank >= torch.cuda.device_count():
        raise PipelineError(
            f"rank {place.local_rank} of this machine has no GPU, of {torch.cuda.device_count()}: take fewer "
            "--ranks, or --device cpu"
        )
    device = torch.device("cuda", place.local_rank)
    torch.cuda.set_device(device)
    return device


def _is_of_ranks(error: RuntimeError) -> bool:
    """Whether it is about what goes between ranks: gloo's errors have no class of their own."""
    return isinstance(error, dist.DistError) or any(name in str(error).lower() for name in ("gloo", "nccl"))


@contextmanager
def _others_started(run: StageRun[Any], num: int) -> Iterator[Place]:
    """The place of this process among `num` ranks, the others of which are there within the block."""
    meeting = run.state.folder.resolve() / "meeting"
    meeting.unlink(missing_ok=True)
    first = Place(0, num, 0, f"file://{meeting}")
    context = multiprocessing.get_context("spawn")
    options = replace(run.options, progress=False)
    others = [
        context.Process(
            target=_follow,
            args=(run.stage, options, replace(first, rank=rank, local_rank=rank)),
            name=f"rank {rank}",
            daemon=True,
        )
        for rank in range(1, num)
    ]
    resource_tracker.ensure_running()  # started within the block, it would unblock signals
    with undisturbed(), signals_blocked():
        for process in others:
            process.start()
    needed = Event()
    needed.set()
    Thread(target=_end_with_any, args=(run.stage, others, needed), daemon=True).start()
    try:
        yield first
    finally:
        needed.clear()  # what they had to do is done, or not to be gone on with
        for process in others:
            process.kill()
            process.join()


def _end_with_any(stage: str, others: Sequence[Any], needed: Event) -> None:
    """Ends this process when one of the others has not ended well while it is needed."""
    left = {process.sentinel: process for process in others}
    while left:
        for sentinel in wait(list(left)):
            process = left.pop(sentinel)  # type: ignore[call-overload]
            process.join()
            if not needed.is_set():
                return
            if process.exitcode == _USERS_FAULT:  # it has said what
                end_on_the_spot("", _USERS_FAULT)
            if process.exitcode:
                end_on_the_spot(f"error: {process.name} of {stage} {_ended(process.exitcode)}: {_AGAIN}", 1)


def _ended(code: int) -> str:
    if code < 0:
        return f"was killed (signal {-code}), by somebody or for want of memory"
    return f"has ended by itself (exit code {code})"


# What follows runs in the other ranks that a command has started.


def _follow(stage: str, options: Options, place: Place) -> None:
    end_with_parent()
    give_place(place)
    name = section_name(stage)
    command = getattr(import_module(f"stages.{name}"), name)
    try:
        command(options.fresh, options.device, options.workers, options.progress, options.ranks)
    except LostRank:
        os._exit(1)
    except Exception as error:
        if not isinstance(error, GenreidError | PipelineError | FloatingPointError) and not is_of_machine(
            error
        ):
            raise
        os.write(2, f"error: {str(error).splitlines()[0]}\n".encode())
        os._exit(_USERS_FAULT)
