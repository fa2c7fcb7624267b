"""What `precision` means on a processor with instructions for bfloat16, on others and on a GPU."""

from __future__ import annotations

import pytest
import torch

from genreid.training.precision import autocast, computed_in
from genreid.training.settings.precision import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def pretend(monkeypatch: pytest.MonkeyPatch, has: bool, may_use: str) -> None:
    """A processor that has AVX-512 BF16 or not, and what torch may use of any."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: may_use)


@pytest.mark.parametrize(
    ("has", "may_use", "expected"),
    [
        (True, "AVX512", "bfloat16"),
        (False, "AVX512", "float32"),
        (True, "AVX2", "float32"),
        (False, "DEFAULT", "float32"),
    ],
)
def test_auto_looks_at_the_processor(
    has: bool, may_use: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, has, may_use)
    assert computed_in(CPU, "auto") == expected
    assert computed_in(GPU, "auto") == "float32"
    for named in ("float32", "bfloat16"):
        assert computed_in(CPU, named) == computed_in(GPU, named) == named


def test_processors_of_other_kinds_say_nothing_of_avx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True, "bf16": True})
    assert computed_in(CPU, "auto") == "float32"


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("has", [False, True])
def test_networks_compute_in_it(precision: Precision, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, has, "AVX512")
    layer, picture = torch.nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)
    with autocast(CPU, precision):
        found = layer(picture)
    assert found.dtype is getattr(torch, computed_in(CPU, precision))
    found.float().sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.dtype is torch.float32
