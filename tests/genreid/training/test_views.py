"""Second views and mixtures: who is mixed with whom, what is painted, where it stands, what E_id sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genreid.data.batch import Mix
from genreid.models.batchnorm import generated_images
from genreid.training.loader import Holds
from genreid.training.mixtures import draw_mix, nearest_others
from genreid.training.views import make_views

from .conftest import Boxes
from .test_joint import CONTRAST, SETTINGS, networks

YAWS = np.array([90, 270, 180], np.int16)


def test_the_nearest_other_is_that_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    prototypes = F.normalize(torch.randn(7, 5, generator=generator), dim=1)
    label = torch.tensor([3, 0, 6, 3, 1, 0, 5])
    for position, partner in enumerate(nearest_others(label, prototypes).tolist()):
        others = [other for other in range(len(label)) if label[other] != label[position]]
        nearest = max(others, key=lambda other: float(prototypes[label[position]] @ prototypes[label[other]]))
        assert label[partner] == label[nearest]
        assert partner == next(other for other in others if label[other] == label[nearest])


@pytest.mark.parametrize("num", [9, 16, 33])
def test_of_the_images_of_the_nearest_other_the_first_is_taken(num: int) -> None:
    """Whatever the order of summation does to the last bits of equal rows."""
    draw = torch.Generator().manual_seed(num)
    prototypes = F.normalize(torch.randn(5, 2048, generator=draw), dim=1)
    label = torch.randint(5, (num,), generator=draw)
    firsts = {label.tolist().index(person) for person in set(label.tolist())}
    assert set(nearest_others(label, prototypes).tolist()) <= firsts


def test_who_is_alone_in_a_batch_is_mixed_with_itself() -> None:
    assert nearest_others(torch.tensor([1, 1, 1]), torch.eye(2)).tolist() == [0, 1, 2]


def test_lambda_favours_the_own_identity() -> None:
    mixes = [draw_mix(8, 0.6, np.random.default_rng(seed)) for seed in range(200)]
    assert all(0.5 <= mix.lam <= 1 for mix in mixes)
    # Half, and the mean deviation of Beta(α, α): 2·α^2α / (B(α, α)·(2α)^(2α+1)) = 0.3003 for α = 0.6.
    assert abs(np.mean([mix.lam for mix in mixes]) - 0.8003) < 0.03
    values, mix = torch.arange(8.0), mixes[0]
    assert torch.allclose(mix.of(values), mix.lam * values + (1 - mix.lam) * values[mix.partner])


@pytest.mark.parametrize("generator", ["learns", "frozen"])
def test_a_turned_mixture_is_painted_and_cut_out_along_the_rotated_mesh(boxes: Boxes, generator: str) -> None:
    """The mixed code on m_θ, put before another background along m_θ."""
    batch = boxes.loader.batch_at(np.array([0, 7, 13]), YAWS, backgrounds=np.array([4, 2, 21]))
    assert batch.background is not None
    mix = Mix(0.7, torch.tensor([2, 0, 1]), turned=True)
    contrast = replace(CONTRAST, background="other_cameras", views="none")
    parts = networks()
    parts.encoder.train()
    settings = replace(SETTINGS, contrast=contrast, detach_appearance=True)
    real = parts.encoder(batch.image)
    learns = generator == "learns"
    views = make_views(parts, batch, real, mix, settings, np.random.default_rng(0), learns=learns)
    painted = parts.generator(batch.mesh_rotated, mix.of(real.appearance))
    if learns:
        assert views.painted is not None and views.painted.mixed is not None
        assert torch.allclose(views.painted.mixed, painted, atol=1e-4)
    body = F.max_pool2d((batch.mesh_rotated > -1).float(), 3, stride=1, padding=1) > 0
    with generated_images(parts.encoder, "separate"):
        seen = parts.encoder(torch.where(body, painted, batch.background)).embedding
    assert views.second is None and views.mixed is not None
    assert torch.allclose(views.mixed, seen, atol=1e-4)


@pytest.mark.parametrize("teaches", [True, False])
def test_the_contrast_teaches_the_generator_only_where_it_may(boxes: Boxes, teaches: bool) -> None:
    parts, settings = networks(), replace(SETTINGS, contrast_teaches_generator=teaches)
    parts.encoder.train()
    batch = boxes.loader.batch(np.array([0, 7, 13]), np.random.default_rng(0))
    mix, real = Mix(0.7, torch.tensor([2, 0, 1])), parts.encoder(batch.image)
    views = make_views(parts, batch, real, mix, settings, np.random.default_rng(0), learns=True)
    assert views.painted is not None and views.painted.rotated.requires_grad
    assert views.second is not None and views.mixed is not None
    (views.second[:, 0].sum() + views.mixed[:, 0].sum()).backward()
    reached = [parameter.grad is not None for parameter in parts.generator.parameters()]
    assert all(reached) if teaches else not any(reached)
    assert all(parameter.grad is not None for parameter in parts.encoder.backbone.parameters())


@pytest.mark.parametrize("kind", ["generated", "copy_paste"])
def test_second_views_before_another_background_are_embedded_as_they_are_put_there(
    boxes: Boxes, kind: Literal["generated", "copy_paste"]
) -> None:
    """f_θ and f_mix of a step, against pictures composed pixel by pixel and one pass for both."""
    settings = replace(
        SETTINGS, contrast=replace(CONTRAST, background="other_cameras", views=kind), generator="frozen"
    )
    parts = networks()
    parts.encoder.train()
    index, backgrounds = np.array([0, 7, 13]), np.array([4, 2, 21])
    pasted = Holds(persons=kind == "copy_paste")
    batch = boxes.loader.batch_at(index, YAWS, pasted, backgrounds=backgrounds)
    mix = Mix(0.7, torch.tensor([2, 0, 1]))
    real = parts.encoder(batch.image)
    views = make_views(parts, batch, real, mix, settings, np.random.default_rng(0), learns=False)
    assert views.painted is None

    turned = kind == "generated"
    second = parts.generator(batch.mesh_rotated, real.appearance) if turned else batch.image
    mixed = parts.generator(batch.mesh, mix.of(real.appearance))
    composed = [
        _composed(picture, mesh, batch.background)
        for picture, mesh in ((second, batch.mesh_rotated if turned else batch.mesh), (mixed, batch.mesh))
    ]
    with generated_images(parts.encoder, "separate"):
        expected = parts.encoder(torch.cat(composed)).embedding.split(3)
    assert views.second is not None and views.mixed is not None
    assert torch.allclose(views.second, expected[0], atol=1e-4)
    assert torch.allclose(views.mixed, expected[1], atol=1e-4)


def _composed(pictures: torch.Tensor, meshes: torch.Tensor, backgrounds: torch.Tensor | None) -> torch.Tensor:
    """A pixel is the person's where the mesh is seen there or at one of its eight neighbours."""
    assert backgrounds is not None
    out = backgrounds.clone()
    num, _, height, width = pictures.shape
    for i, row, column in np.ndindex(num, height, width):
        near = meshes[i, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        if bool((near > -1).any()):
            out[i, :, row, column] = pictures[i, :, row, column]
    return out
