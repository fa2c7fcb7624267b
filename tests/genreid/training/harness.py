"""Checkpoints that keep every state, so that a test can go on from any step."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from typing import Any

import torch

from genreid.progress import Report


class Recorder:
    """Keeps each offered state as a killed process would leave it: serialised."""

    def __init__(self, start: bytes | None = None) -> None:
        self.start = start
        self.states: list[bytes] = []

    def restore(self) -> dict[str, Any] | None:
        return None if self.start is None else torch.load(io.BytesIO(self.start), weights_only=True)

    def offer(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        buffer = io.BytesIO()
        torch.save(snapshot(), buffer)
        self.states.append(buffer.getvalue())


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(module.state_dict())


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def finish(reports: Iterator[Report]) -> list[Report]:
    return list(reports)


def comparable(report: Report) -> dict[str, float]:
    """A report's figures without the clock."""
    return {name: value for name, value in report.figures.items() if name != "images_per_second"}
