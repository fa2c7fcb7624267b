"""L1 terms against loops; which side they move."""

from __future__ import annotations

import numpy as np
import torch

from genreid.losses.reconstruction import appearance_consistency, l1


def _loop_l1(first: np.ndarray, second: np.ndarray) -> float:
    differences = [abs(float(a) - float(b)) for a, b in zip(first.ravel(), second.ravel(), strict=True)]
    return sum(differences) / len(differences)


def test_l1_is_the_mean_absolute_difference() -> None:
    rng = np.random.default_rng(0)
    painted, image = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))
    loss = l1(torch.tensor(painted), torch.tensor(image))
    np.testing.assert_allclose(loss.item(), _loop_l1(painted, image), rtol=1e-12)


def test_appearance_consistency_is_the_sum_of_both_differences() -> None:
    rng = np.random.default_rng(1)
    rebuilt, back, code = (rng.normal(size=(3, 8)) for _ in range(3))
    loss = appearance_consistency(torch.tensor(rebuilt), torch.tensor(back), torch.tensor(code))
    np.testing.assert_allclose(loss.item(), _loop_l1(rebuilt, code) + _loop_l1(back, code), rtol=1e-12)


def test_targets_are_not_moved() -> None:
    rebuilt, back, code = (torch.randn(3, 8, requires_grad=True) for _ in range(3))
    appearance_consistency(rebuilt, back, code).backward()
    assert rebuilt.grad is not None and rebuilt.grad.abs().min() > 0
    assert back.grad is not None and back.grad.abs().min() > 0
    assert code.grad is None
