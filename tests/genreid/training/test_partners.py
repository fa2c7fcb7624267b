"""Partners are drawn from the pseudo-identity's other images that have a mesh."""

from __future__ import annotations

import numpy as np
import torch

from genreid.training.partners import Partners


def test_partners_are_the_others_of_the_pseudo_identity_with_a_mesh() -> None:
    labels = np.array([0, 0, 0, 1, 1, -1, -1, 0])
    with_mesh = np.array([0, 1, 3, 5, 6, 7])  # not 2 and 4
    partners, generator = Partners(labels, with_mesh), torch.Generator().manual_seed(0)
    drawn = np.array([partners.draw(with_mesh, generator) for _ in range(200)])
    found = {int(image): set(drawn[:, i].tolist()) for i, image in enumerate(with_mesh)}
    assert found == {0: {1, 7}, 1: {0, 7}, 7: {0, 1}, 3: {3}, 5: {5}, 6: {6}}


def test_without_any_pseudo_identity_everybody_is_alone() -> None:
    index = np.arange(4)
    partners = Partners(np.full(4, -1), index)
    assert partners.draw(index, torch.Generator()).tolist() == [0, 1, 2, 3]
