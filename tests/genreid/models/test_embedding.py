"""Embedding a set: order, batches, modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genreid.models.embedding import embed, embed_mean
from genreid.models.encoder import IdentityEncoder
from genreid.models.initialisation import build_encoder
from genreid.progress import Silent
from tests.genreid.models.small import ENCODER

IMAGES = torch.randn(7, 3, 64, 32, generator=torch.Generator().manual_seed(0))


def _load(index: np.ndarray) -> Tensor:
    return IMAGES[torch.from_numpy(index)]


@pytest.fixture
def encoder() -> IdentityEncoder:
    return build_encoder(ENCODER, 0)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_rows_are_the_images_embeddings_in_order(encoder: IdentityEncoder, batch_size: int) -> None:
    rows = embed(encoder, _load, 7, batch_size, "cpu", Silent())
    assert rows.shape == (7, 64) and rows.dtype == torch.float32
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(7))
    encoder.eval()
    for image, row in zip(IMAGES, rows, strict=True):
        torch.testing.assert_close(row, encoder(image[None]).embedding[0].detach(), atol=1e-6, rtol=1e-4)


def test_every_layers_mode_and_statistics_are_restored(encoder: IdentityEncoder) -> None:
    encoder.train()
    encoder.neck.eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embed(encoder, _load, 7, 3, "cpu", Silent())
    assert encoder.training and encoder.backbone.training and not encoder.neck.training
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_rows_may_be_used_in_a_loss(encoder: IdentityEncoder) -> None:
    rows = embed(encoder, _load, 7, 3, "cpu", Silent())
    assert not rows.requires_grad
    query = torch.randn(2, 64, requires_grad=True)
    (query @ rows.T).sum().backward()
    assert query.grad is not None


def test_no_images_give_no_rows(encoder: IdentityEncoder) -> None:
    assert embed(encoder, _load, 0, 3, "cpu", Silent()).shape == (0, 64)


def test_the_mean_over_several_looks_is_that_of_their_unit_embeddings(encoder: IdentityEncoder) -> None:
    looks = [_load, lambda index: _load(index).flip(3), lambda index: 0.3 * _load(index) + 1]
    rows = embed_mean(encoder, looks, 7, 3, "cpu", Silent())
    encoder.eval()
    for position, row in enumerate(rows):
        image = IMAGES[position]
        total = np.zeros(64)
        for picture in (image, image.flip(2), 0.3 * image + 1):
            vector = encoder(picture[None]).embedding[0].detach().double().numpy()
            total += vector / np.sqrt((vector**2).sum())
        expected = total / np.sqrt((total**2).sum())
        np.testing.assert_allclose(row.numpy(), expected, atol=2e-6)


def test_the_mean_over_one_look_is_the_image_alone_to_the_last_bit(encoder: IdentityEncoder) -> None:
    alone = embed(encoder, _load, 7, 3, "cpu", Silent())
    assert torch.equal(embed_mean(encoder, [_load], 7, 3, "cpu", Silent()), alone)
