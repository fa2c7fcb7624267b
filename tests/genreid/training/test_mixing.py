"""Whom an image is mixed with, and whose mesh is painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from genreid.models.batchnorm import generated_images
from genreid.training.mixing import Mix, draw_mix, nearest_others
from genreid.training.second_views import embed_views, paint_views

from .conftest import CPU, Boxes
from .test_joint import CONTRAST, SETTINGS, networks


def test_the_nearest_other_is_that_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    prototypes = F.normalize(torch.randn(7, 5, generator=generator), dim=1)
    label = torch.tensor([3, 0, 6, 3, 1, 0, 5])
    for position, partner in enumerate(nearest_others(label, prototypes).tolist()):
        others = [other for other in range(len(label)) if label[other] != label[position]]
        nearest = max(others, key=lambda other: float(prototypes[label[position]] @ prototypes[label[other]]))
        assert label[partner] == label[nearest]
        assert partner == next(other for other in others if label[other] == label[nearest])


def test_who_is_alone_in_a_batch_is_mixed_with_itself() -> None:
    assert nearest_others(torch.tensor([1, 1, 1]), torch.eye(2)).tolist() == [0, 1, 2]


def test_lambda_favours_the_own_identity() -> None:
    mixes = [draw_mix(8, 0.6, np.random.default_rng(seed), CPU) for seed in range(200)]
    assert all(0.5 <= mix.lam <= 1 for mix in mixes)
    # Half, and the mean deviation of Beta(α, α): 2·α^2α / (B(α, α)·(2α)^(2α+1)) = 0.3003 for α = 0.6.
    assert abs(np.mean([mix.lam for mix in mixes]) - 0.8003) < 0.03
    values, mix = torch.arange(8.0), mixes[0]
    assert torch.allclose(mix.of(values), mix.lam * values + (1 - mix.lam) * values[mix.partner])


def test_a_turned_mixture_is_painted_and_cut_out_along_the_rotated_mesh(boxes: Boxes) -> None:
    """Where G learns and where it does not: the mixed code on m_θ, put into another street along m_θ."""
    batch = boxes.feed.batch(np.array([0, 7, 13]), np.random.default_rng(0), streets=np.array([4, 2, 21]))
    assert batch.street is not None
    mix = Mix(0.7, torch.tensor([2, 0, 1]), turned=True)
    contrast = replace(CONTRAST, street="other_cameras", views="none")
    for generator in ("learns", "frozen"):
        parts = networks()
        parts.encoder.train()
        settings = replace(SETTINGS, contrast=contrast, generator=generator, detach_appearance=True)
        real = parts.encoder(batch.image)
        _, painted = paint_views(parts, batch, real, mix, settings, learns=generator == "learns")
        expected = parts.generator(batch.mesh_rotated, mix.of(real.appearance))
        assert painted.mixed is not None
        assert torch.allclose(painted.mixed, expected, atol=1e-4)

        found = embed_views(parts.encoder, batch, real, painted, mix, settings, np.random.default_rng(0))
        body = F.max_pool2d((batch.mesh_rotated > -1).float(), 3, stride=1, padding=1) > 0
        with generated_images(parts.encoder, "separate"):
            seen = parts.encoder(torch.where(body, painted.mixed, batch.street)).embedding
        assert found.mixed is not None
        assert torch.allclose(found.mixed, seen, atol=1e-4)
