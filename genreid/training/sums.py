"""Sums over the ranks of torch.distributed's default group."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def summed(values: Tensor) -> Tensor:
    """The sum over all ranks, each of which gets the gradient of all their losses."""
    result: Tensor = _Sum.apply(values)
    return result


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        result = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        return summed(outer[0])


@torch.no_grad()
def sum_in_place(tensors: Iterable[Tensor]) -> None:
    """All tensors become their sums over the ranks, in one message."""
    parts = list(tensors)
    if not parts:
        return
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    for part, total in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
        part.copy_(total.view_as(part))
