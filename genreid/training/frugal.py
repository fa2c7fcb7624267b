"""The same step in less memory: graphs that are let go early, and passes that are computed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def with_early_gradient(loss: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """`loss(pictures)`, (), whose gradient is already worked out: what `loss` kept for it is free again.

    A loss is followed backwards when all are added up, and until then each holds the maps of its own network.
    For one that leads to its argument alone that can be done at once, at no cost: what is kept instead is one
    gradient of the pictures' size. No gradient reaches anything else that `loss` uses.
    """
    if not pictures.requires_grad:
        return loss(pictures)
    own = pictures.detach().requires_grad_()
    value = loss(own)
    (gradient,) = torch.autograd.grad(value, own)
    known: Tensor = _Known.apply(pictures, value.detach(), gradient)
    return known


class _Known(torch.autograd.Function):
    """A value and its gradient, both known."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outer[0] * gradient, None, None


def maybe_recomputed(again: bool, function: Callable[..., Tensor], *arguments: Tensor | None) -> Tensor:
    """`function(*arguments)`; with `again`, its maps are not kept but computed once more on the way back."""
    if not again:
        return function(*arguments)
    # Nothing in these networks draws: there is no generator to be put back.
    result: Tensor = checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)
    return result
