"""Products in int8: right by either kernel, and by the one that is quick on the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from genreid.clustering import int8_products
from genreid.clustering.int8_products import LinearFactor, MatrixFactor, int8_factor, int8_is_quick

has_linear = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="another kind of processor"
)
FACTORS = [MatrixFactor, pytest.param(LinearFactor, marks=has_linear)]


@pytest.fixture
def asked_anew() -> Iterator[None]:
    """What a processor has is asked once a process."""
    for once in (int8_products._has_vnni, int8_products._linear_is_quick):
        once.cache_clear()
    yield
    for once in (int8_products._has_vnni, int8_products._linear_is_quick):
        once.cache_clear()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("width", [16, 48, 2048])
def test_products_are_those_of_whole_numbers(factor: Any, width: int) -> None:
    generator = torch.Generator().manual_seed(width)
    left, right = (
        torch.randint(-63, 64, (num, width), generator=generator, dtype=torch.int8) for num in (70, 33)
    )
    out = torch.full((70, 33), -1, dtype=torch.int32)
    ready = factor(right)
    with ThreadPoolExecutor(2) as threads:  # they share the factor
        list(threads.map(lambda at: ready.multiply(left[at : at + 10], out[at : at + 10]), range(0, 70, 10)))
    assert torch.equal(out.long(), left.long() @ right.long().T)


EXTREMES = """
import torch
from genreid.clustering.dithered import _STEPS
from genreid.clustering.int8_products import FACTOR
pairs = torch.where(torch.arange(2048) % 4 < 2, _STEPS, -_STEPS)
x = torch.stack([torch.full((2048,), _STEPS), torch.full((2048,), -_STEPS), pairs] * 50).to(torch.int8)
out = torch.empty(150, 150, dtype=torch.int32)
FACTOR(x).multiply(x, out)
assert torch.equal(out.long(), x.long() @ x.long().T), "sums were cut off"
"""


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("kernels", ["AVX2", "DEFAULT"])
def test_products_of_the_largest_steps_are_right_on_every_processor(factor: type, kernels: str) -> None:
    """Kernels for AVX2 add in 16 bits; oneDNN reads what it may use once a process."""
    limited = {**os.environ, "ONEDNN_MAX_CPU_ISA": kernels}
    program = EXTREMES.replace("FACTOR", factor.__name__)
    done = subprocess.run([sys.executable, "-c", program], env=limited, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


class _CutsOff(LinearFactor):
    def multiply(self, left: torch.Tensor, out: torch.Tensor) -> None:
        super().multiply(left, out)
        out.clamp_(max=1000)


class _Gone(LinearFactor):
    def __init__(self, right: torch.Tensor) -> None:
        _ = torch.ops.onednn.no_such_name


@has_linear
@pytest.mark.parametrize(
    ("capability", "vnni", "linear", "quick", "factor"),
    [
        ("AVX512", True, LinearFactor, True, MatrixFactor),
        ("AVX512", True, _Gone, True, MatrixFactor),
        ("AVX512", False, LinearFactor, True, LinearFactor),
        ("AVX2", True, LinearFactor, True, LinearFactor),  # limited to AVX2: it stands in for the next one
        ("AVX2", False, LinearFactor, True, LinearFactor),
        ("AVX2", False, _CutsOff, False, MatrixFactor),
        ("AVX2", False, _Gone, False, MatrixFactor),
        ("DEFAULT", False, LinearFactor, False, MatrixFactor),
        ("SVE256", False, LinearFactor, False, MatrixFactor),
    ],
)
def test_the_kernel_is_the_quick_one_of_the_processor(
    capability: str,
    vnni: bool,
    linear: type,
    quick: bool,
    factor: type,
    asked_anew: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
    monkeypatch.setattr(int8_products, "LinearFactor", linear)
    assert int8_is_quick() == quick
    assert type(int8_factor(torch.ones(3, 64, dtype=torch.int8))) is factor
