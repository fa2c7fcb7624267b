"""Products of rows in int8, by the kernel of torch that is quick on this processor.

torch offers two. `torch._int_mm` is quick where the processor has VNNI, and else a plain loop, a fortieth as
fast. The linear layer of its quantised networks, which oneDNN computes, is quick with AVX2 too.

Shapes: R and C rows of D numbers, of at most 63 in absolute value.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

_SHIFT = 128
"""The linear layer takes its left factor unsigned, and this off again."""


class Int8Factor(Protocol):
    """The right factor of products, (C, D) int8, made ready once for many left ones."""

    def multiply(self, left: torch.Tensor, out: torch.Tensor) -> None:
        """Write left (R, D) int8 times this one, turned, into `out` (R, C) int32. Threads may share it."""


def int8_is_quick() -> bool:
    """Whether products in int8 take less time than float32 ones on this processor.

    They reach twice the speed of float32 with AVX2 and four times with VNNI (docs/performance.md).
    """
    return _has_vnni() or _linear_is_quick()


def int8_factor(right: torch.Tensor) -> Int8Factor:
    """The factor for the quick kernel of this processor; without one, for the plain loop."""
    if _linear_is_quick() and not _has_vnni():
        return LinearFactor(right)
    return MatrixFactor(right)


class MatrixFactor:
    """A factor of `torch._int_mm`."""

    def __init__(self, right: torch.Tensor) -> None:
        self._columns = right.T

    def multiply(self, left: torch.Tensor, out: torch.Tensor) -> None:
        torch._int_mm(left, self._columns, out=out)


class LinearFactor:
    """The weights of a layer.

    It adds in int32 and gives float32, which is exact below 2²⁴: a product of unit rows, in steps, is some
    100·D (`dithered`).
    """

    def __init__(self, right: torch.Tensor) -> None:
        self._weights = torch.ops.onednn.qlinear_prepack(right.contiguous(), None)
        self._ones = torch.ones(len(right))
        self._zeros = torch.zeros(len(right), dtype=torch.int64)

    def multiply(self, left: torch.Tensor, out: torch.Tensor) -> None:
        shifted = (left ^ -_SHIFT).view(torch.uint8)
        layer = torch.ops.onednn.qlinear_pointwise
        weights = self._weights, self._ones, self._zeros
        out.copy_(layer(shifted, 1.0, _SHIFT, *weights, None, 1.0, 0, torch.float32, "none", [], ""))


@cache
def _has_vnni() -> bool:
    """As torch has it, which heeds `ATEN_CPU_CAPABILITY`."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.cpu._is_vnni_supported()


@cache
def _linear_is_quick() -> bool:
    """Whether there is that layer, and it does not cut sums off; torch does not promise its name."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return False
    rows = torch.tensor([[63], [-63]], dtype=torch.int8).expand(2, 64).contiguous()
    products = torch.empty(2, 2, dtype=torch.int32)
    try:
        LinearFactor(rows).multiply(rows, products)
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(products.long(), rows.long() @ rows.long().T)
