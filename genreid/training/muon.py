"""Muon: steps of gradient descent whose matrices are made orthogonal (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_MOMENTUM = 0.95
_NUM_STEPS = 5
_COEFFICIENTS = 3.4445, -4.7750, 2.0315


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions; a convolution's are a matrix with a row an output channel.

    The averaged gradient (Nesterov's momentum) is made orthogonal and taken lr · √max(1, rows / columns)
    times. So a layer moves equally far in all directions that it can learn in, however small a gradient.
    weight_decay is decoupled: a weight shrinks by the factor 1 − lr · weight_decay a step.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step on the gradients that the weights hold."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].lerp_(weight.grad, 1 - _MOMENTUM)
                update = orthogonal(weight.grad.lerp(momentum, _MOMENTUM).flatten(1))
                length = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * length)


def orthogonal(matrix: Tensor) -> Tensor:
    """U·S·Vᵀ of the matrix U·Σ·Vᵀ, S near the identity: its singular values lie between about 0.7 and 1.2.

    The post's Newton–Schulz iteration X → (a + b·X·Xᵀ + c·(X·Xᵀ)²)·X, on the smaller Gram matrix alone: its
    powers commute, so the factors are gathered and meet X once, at half the cost for layers wider than high.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    gram = x @ x.T
    gathered = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for _ in range(_NUM_STEPS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        gathered = factor @ gathered
        gram = factor @ gram @ factor
    x = gathered @ x
    return x.T if tall else x
