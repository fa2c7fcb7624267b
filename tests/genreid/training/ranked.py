"""Real ranks for tests: processes joined by gloo, which run what a test asks of them side by side."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist

from genreid.models import blocks
from genreid.training.generator import pretrain_generator
from genreid.training.joint import train_joint
from genreid.training.networks import Networks
from genreid.training.ranks import ALONE, Ranks, SeveralRanks
from genreid.training.warm_up import warm_up

from .beside import DISCRIMINATOR, Watch, _networks, acquaint, compute_exactly
from .conftest import CPU, ENCODER, GENERATOR, BoxViews, make_boxes
from .harness import Recorder, comparable, weights


class Together:
    """Ranks that wait for work."""

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes = pipes

    def do(self, work: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What `work(ranks, *arguments)` returns on each of them."""
        for pipe in self._pipes:
            pipe.send((work, arguments))
        answers = [pipe.recv() for pipe in self._pipes]
        failed = [text for worked, text in answers if not worked]
        assert not failed, failed[0]
        return [answer for _, answer in answers]


@contextmanager
def together(num: int, meeting: Path) -> Iterator[Together]:
    """`num` ranks; meeting: a file that is not there yet."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(num)]
    processes = [
        context.Process(target=_be_rank, args=(rank, num, str(meeting), theirs), daemon=True)
        for rank, (_, theirs) in enumerate(pairs)
    ]
    for process in processes:
        process.start()
    for _, theirs in pairs:  # so that a rank that has ended is noticed
        theirs.close()
    try:
        yield Together([own for own, _ in pairs])
    finally:
        for process in processes:
            process.kill()
            process.join()


def _be_rank(rank: int, num: int, meeting: str, pipe: Connection) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=num)
    ranks = SeveralRanks(CPU)
    while True:
        work, arguments = pipe.recv()
        try:
            pipe.send((True, work(ranks, *arguments)))
        except Exception:
            pipe.send((False, traceback.format_exc()))


def train(
    ranks: Ranks, kind: str, root: Path, settings: Any, exact: bool, start: bytes | None = None
) -> dict[str, Any]:
    """One of the three trainings, `kind`, of boxes that are written below `root`.

    exact: in float64. Returns `steps`, the losses of each step as rank 0 keeps them, `states`, what it kept
    after each, `figures` of each epoch, and `weights` of each network at the end.
    """
    root = root / f"{kind} {ranks.num} {ranks.rank}"
    root.mkdir(exist_ok=True)
    boxes = make_boxes(root, BoxViews, light=15)
    made = _networks(ENCODER, settings.generator if kind == "generator" else GENERATOR, DISCRIMINATOR)
    acquaint(made["encoder"], made["generator"], boxes)
    if exact:
        for network in made.values():
            compute_exactly(network)
    watch, recorder = Watch(), Recorder(start)

    def offer(snapshot: Callable[[], dict[str, Any]]) -> None:
        watch.offer(snapshot)
        recorder.offer(snapshot)

    surroundings = watch.surroundings | {"ranks": ranks, "checkpoints": _Both(recorder.restore, offer)}
    encoder, generator, discriminator = made.values()
    with patch.object(blocks, "adain", partial(blocks.adain, eps=0.1)):
        if kind == "warm_up":
            epochs = warm_up(encoder, boxes.images, settings, agreement=boxes.agreement, **surroundings)  # type: ignore[arg-type]
        elif kind == "generator":
            parts = generator, discriminator, encoder
            epochs = pretrain_generator(*parts, boxes.images, boxes.loader, settings, **surroundings)  # type: ignore[arg-type]
        else:
            networks = Networks(*made.values())  # type: ignore[arg-type]
            surroundings["agreement"] = boxes.agreement
            epochs = train_joint(networks, boxes.images, boxes.loader, settings, **surroundings)
        figures = [comparable(report) for report in epochs]
    return {
        "steps": [step.losses for step in watch.steps],
        "states": recorder.states,
        "figures": figures,
        "weights": {name: weights(network) for name, network in made.items()},
    }


class _Both:
    def __init__(self, restore: Callable[[], Any], offer: Callable[[Any], None]) -> None:
        self.restore, self.offer = restore, offer


def alone(*arguments: Any) -> dict[str, Any]:
    """`train` in this process."""
    return train(ALONE, *arguments)
