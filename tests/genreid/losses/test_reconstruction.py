"""L1 terms against loops; which side they move."""

from __future__ import annotations

import numpy as np
import torch

from genreid.losses.reconstruction import appearance_consistency, l1, l1_within


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


def test_l1_within_a_mask_is_the_mean_over_its_pixels() -> None:
    rng = np.random.default_rng(2)
    painted, image = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))
    mask = rng.random((2, 1, 4, 5)) < 0.4
    inside = [
        _loop_l1(painted[b, :, row, column], image[b, :, row, column])
        for b, _, row, column in np.argwhere(mask)
    ]
    assert 3 < len(inside) < 37
    loss = l1_within(torch.tensor(painted), torch.tensor(image), torch.tensor(mask))
    np.testing.assert_allclose(loss.item(), sum(inside) / len(inside), rtol=1e-12)
    nowhere = l1_within(torch.tensor(painted), torch.tensor(image), torch.zeros(2, 1, 4, 5, dtype=torch.bool))
    assert nowhere.item() == 0


def test_l1_within_a_mask_moves_the_prediction_there_alone() -> None:
    painted, image = (torch.randn(1, 3, 2, 2, requires_grad=True) for _ in range(2))
    mask = torch.tensor([[[[True, False], [False, True]]]])
    l1_within(painted, image, mask).backward()
    assert image.grad is None and painted.grad is not None
    assert torch.equal(painted.grad.abs().sum(1, keepdim=True) > 0, mask)
