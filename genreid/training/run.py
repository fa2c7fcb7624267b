"""What every training loop keeps: where it stands, what it has measured, and how it goes on after a kill.

Randomness is never kept, because there is none to keep: each step draws from a generator named by epoch
and step (`genreid.seeding`), so the state of a run is its tensors and two counters.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from genreid.progress import Checkpoints, Progress, Report

EMPTY: Mapping[str, np.ndarray] = MappingProxyType({})


class Stateful(Protocol):
    """Anything with PyTorch's two methods: modules, optimisers, memories."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Any) -> Any: ...


class Meter:
    """Means of named figures over an epoch, weighted by the number of images."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._images = 0
        self._seconds = 0.0
        self._since: float | None = None

    def add(self, figures: Mapping[str, Tensor | float], num_images: int) -> None:
        """Count one step of `num_images` images."""
        now = time.perf_counter()
        if self._since is not None:
            self._seconds += now - self._since
            self._images += num_images
        self._since = now
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value) * num_images
            self._weights[name] = self._weights.get(name, 0.0) + num_images

    def means(self) -> dict[str, float]:
        """The mean of each figure, and `images_per_second` (of the steps; the first one is warm-up)."""
        figures = {name: total / self._weights[name] for name, total in self._sums.items()}
        if self._seconds > 0:
            figures["images_per_second"] = self._images / self._seconds
        return figures

    def state_dict(self) -> dict[str, Any]:
        return {
            "sums": dict(self._sums),
            "weights": dict(self._weights),
            "images": self._images,
            "seconds": self._seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._sums, self._weights = dict(state["sums"]), dict(state["weights"])
        self._images, self._seconds, self._since = state["images"], state["seconds"], None


class Run:
    """Where a training run stands.

    epoch: the epoch under way; step: steps of it already done; meter: its figures so far; tensors: what
    was fixed at the epoch's start (pseudo-labels, prototypes). `parts` are the things that learn or move
    and are kept with them.
    """

    def __init__(self, num_epochs: int, steps_per_epoch: int, **parts: Stateful) -> None:
        self.num_epochs = num_epochs
        self.steps_per_epoch = steps_per_epoch
        self.epoch = 0
        self.step = 0
        self.meter = Meter()
        self.tensors: dict[str, Tensor] = {}
        self._parts: dict[str, Stateful] = parts
        self._bar: Iterator[int] = iter(())

    def resume(self, checkpoints: Checkpoints, progress: Progress, description: str) -> bool:
        """Go on from the state kept for this work, if there is one; show the steps that are left."""
        state = checkpoints.restore()
        if state is not None:
            self._load(state)
        left = (self.num_epochs - self.epoch) * self.steps_per_epoch - self.step
        self._bar = progress.track(range(left), description, left)
        next(self._bar, None)
        return state is not None

    def _load(self, state: dict[str, Any]) -> None:
        self.epoch, self.step, self.tensors = state["epoch"], state["step"], state["tensors"]
        self.meter.load_state_dict(state["meter"])
        assert state["parts"].keys() == self._parts.keys(), (state["parts"].keys(), self._parts.keys())
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])

    def snapshot(self) -> dict[str, Any]:
        """Everything that `resume` needs; plain types and tensors only."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "tensors": self.tensors,
            "meter": self.meter.state_dict(),
            "parts": {name: part.state_dict() for name, part in self._parts.items()},
        }

    def finish_step(self, checkpoints: Checkpoints) -> None:
        """One more step of this epoch is done; keep the state when that is due."""
        self.step += 1
        next(self._bar, None)
        checkpoints.offer(self.snapshot)

    def finish_epoch(
        self, figures: Mapping[str, float], pictures: Mapping[str, np.ndarray] = EMPTY
    ) -> Report:
        """What the epoch has to tell: `figures` and the means of its steps. The next one starts at step 0."""
        report = Report(self.epoch, self.num_epochs, {**figures, **self.meter.means()}, pictures)
        self.epoch, self.step = self.epoch + 1, 0
        self.meter, self.tensors = Meter(), {}
        return report


def require_finite(losses: Mapping[str, Tensor], epoch: int, step: int) -> None:
    """Stop before the optimiser can spread a NaN: a non-finite loss names itself, the epoch and the step.

    Raises:
        FloatingPointError: with the remedy, since a smaller learning rate or float32 mends most cases.
    """
    for name, value in losses.items():
        if not math.isfinite(value.item()):
            raise FloatingPointError(
                f"loss {name} is {value.item()} at epoch {epoch}, step {step}: lower the learning rate, "
                "or set `precision: float32`"
            )


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """The sum of weighted terms."""
    return torch.stack(list(losses.values())).sum()


def named(losses: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """The terms as figures `group/term`."""
    return {f"{group}/{name}": value.detach() for name, value in losses.items()}


def set_lr(optimiser: torch.optim.Optimizer, lr: float, epoch: int, every: int, factor: float = 0.1) -> None:
    """lr · factor^(epoch // every): a function of the epoch alone, so a resumed run needs no scheduler."""
    for group in optimiser.param_groups:
        group["lr"] = lr * factor ** (epoch // every)


def set_trainable(module: nn.Module, trainable: bool) -> None:
    for parameter in module.parameters():
        parameter.requires_grad_(trainable)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """What is computed inside sends gradients through `module`, but none to its parameters."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def due(epoch: int, num_epochs: int, every: int) -> bool:
    """Whether the pictures of this epoch are drawn: each `every` epochs (0: never), and the last."""
    return every > 0 and ((epoch + 1) % every == 0 or epoch + 1 == num_epochs)
