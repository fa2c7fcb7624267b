"""What networks compute in while they learn: float32, or bfloat16 where that pays.

Weights, their gradients and optimisers are in float32 either way, so a run that was stopped in one goes on in
the other. What an encoder is asked after its training is computed in float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

from genreid.training.settings.precision import Precision


def computed_in(device: torch.device, precision: Precision) -> Literal["float32", "bfloat16"]:
    """What `precision` means on a device.

    `auto` is bfloat16 on a processor with instructions for it (AVX-512 BF16, AMX), which learns 1.3 to 1.6
    times as fast so (docs/performance.md), and float32 elsewhere: processors without them only imitate it,
    and no GPU has been measured.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cpu" and _multiplies_in_bfloat16() else "float32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """The context in which networks compute in what `precision` means there."""
    in_bfloat16 = computed_in(device, precision) == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16)


def _multiplies_in_bfloat16() -> bool:
    """What torch may use counts as well: ATEN_CPU_CAPABILITY can keep it to AVX2."""
    has = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return has and torch.backends.cpu.get_cpu_capability() == "AVX512"
