"""Batch norm by the statistics of all ranks' images, differentiable as often as wanted.

torch's own SyncBatchNorm refuses tensors on a CPU, takes the place of modules (whose activations timm's
batch norms have within them), and is differentiable once. Here networks stay what they are: within the block,
`torch.nn.functional.batch_norm`, which all batch norms come to, is another one.

Shapes: x (n, C, …) of this rank; W ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from genreid.training.sums import summed


class Synchronised(TorchFunctionMode):
    """Within the block, batch norms in train mode are `batch_norm` over all ranks."""

    def __init__(self, rank: int, num: int) -> None:
        super().__init__()
        self._rank, self._num = rank, num

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.batch_norm:
            return self._batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """As `F.batch_norm`, whose arguments these are."""
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        count, mean, var = self._of_all(wide)
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                unbiased = var * (count / (count - 1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        scale = (var + eps).rsqrt()
        if weight is not None:
            scale = scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        return torch.addcmul(shift.view(shape), wide, scale.view(shape)).to(x.dtype)

    def _of_all(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How many values each channel has, (); their mean and biased variance (C,).

        From counts, means and variances of the ranks, so that no large squares cancel (Chan, Golub and
        LeVeque 1983, equations 2.1). They travel as one table, with a row for each rank.
        """
        var, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
        table = x.new_zeros(self._num, 1 + 2 * x.shape[1])
        table[self._rank] = torch.cat([x.new_full((1,), x.numel() // x.shape[1]), mean, var])
        counts, means, variances = summed(table).split([1, x.shape[1], x.shape[1]], dim=1)
        shares = counts / counts.sum()
        mean = (shares * means).sum(0)
        return counts.sum(), mean, (shares * (variances + (means - mean).square())).sum(0)
