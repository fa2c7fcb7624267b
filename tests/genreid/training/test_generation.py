"""Gradients that are worked out early are those of autograd."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genreid.training.generation import with_early_gradient


def test_an_early_gradient_is_the_one_of_autograd() -> None:
    """Through a loss that is then scaled, and a picture that is used elsewhere too."""
    torch.manual_seed(0)
    before, judge = nn.Conv2d(2, 3, 3), nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 1))
    images = torch.randn(2, 2, 9, 7)

    def gradients(early: bool) -> list[Tensor]:
        pictures = before(images)

        def loss(seen: Tensor) -> Tensor:
            return judge(seen).square().mean()

        value = with_early_gradient(loss, pictures) if early else loss(pictures)
        return list(torch.autograd.grad(3 * value + pictures.abs().mean(), list(before.parameters())))

    for ours, plain in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(ours, plain)


def test_an_early_gradient_keeps_one_picture_and_reaches_nothing_else() -> None:
    judge = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Tanh(), nn.Conv2d(64, 1, 1))
    pictures = torch.randn(2, 3, 16, 8, requires_grad=True)
    value = with_early_gradient(lambda seen: judge(seen).mean(), pictures)
    value.backward()
    assert pictures.grad is not None
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert not with_early_gradient(lambda seen: seen.mean(), pictures.detach()).requires_grad
