"""Contrast with proxies of cameras, against the equations written out image by image."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genreid.losses.cameras import across_cameras, within_camera

LABEL = torch.tensor([0, 0, 0, 1, 1, 2, 3])
CAMERA = torch.tensor([1, 2, 5, 1, 2, 2, 5])
OWN = torch.tensor([1, 5, 3, 0])  # the second image's pseudo-identity is seen by no other camera
TAU = 0.2


def unit(num: int, seed: int) -> Tensor:
    return F.normalize(torch.randn(num, 6, generator=torch.Generator().manual_seed(seed)), dim=1)


def dot(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_within_its_camera_an_image_is_told_from_the_others_there() -> None:
    embedding, proxies = unit(4, 0).requires_grad_(), unit(7, 1).requires_grad_()
    terms = []
    for row, own in zip(embedding.tolist(), OWN.tolist(), strict=True):
        score = [math.exp(dot(row, proxy) / TAU) for proxy in proxies.tolist()]
        there = [place for place in range(7) if CAMERA[place] == CAMERA[own]]
        terms.append(-math.log(score[own] / sum(score[place] for place in there)))
    loss = within_camera(embedding, proxies, OWN, CAMERA, TAU)
    assert loss.item() == pytest.approx(sum(terms) / 4, rel=1e-5)
    loss.backward()
    assert embedding.grad is not None and torch.isfinite(embedding.grad).all() and proxies.grad is None


@pytest.mark.parametrize("num_negatives", [1, 2, 50])
def test_across_cameras_an_image_is_drawn_to_its_own_and_pushed_from_the_nearest(num_negatives: int) -> None:
    embedding, proxies = unit(4, 2).requires_grad_(), unit(7, 3)
    of_images = []
    for row, own in zip(embedding.tolist(), OWN.tolist(), strict=True):
        score = [math.exp(dot(row, proxy) / TAU) for proxy in proxies.tolist()]
        positives = [place for place in range(7) if LABEL[place] == LABEL[own] and place != own]
        others = sorted((score[place] for place in range(7) if LABEL[place] != LABEL[own]), reverse=True)
        among = sum(score[place] for place in positives) + sum(others[:num_negatives])
        if positives:
            terms = [-math.log(score[place] / among) for place in positives]
            of_images.append(sum(terms) / len(terms))
    assert len(of_images) == 3
    loss = across_cameras(embedding, proxies, OWN, LABEL, num_negatives, TAU)
    assert loss.item() == pytest.approx(sum(of_images) / 3, rel=1e-5)
    loss.backward()
    assert embedding.grad is not None and torch.isfinite(embedding.grad).all()
    assert (embedding.grad[1] == 0).all()


def test_across_cameras_costs_nothing_where_each_is_seen_by_one() -> None:
    embedding = unit(2, 4).requires_grad_()
    loss = across_cameras(embedding, unit(2, 5), torch.tensor([0, 1]), torch.tensor([0, 1]), 50, TAU)
    loss.backward()
    assert loss.item() == 0 and embedding.grad is not None and (embedding.grad == 0).all()
