"""Texture on its way from the shards to the painted views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from genreid.errors import GenreidError
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.progress import Forgetful, Silent
from genreid.training.generator import pretrain_generator
from genreid.training.loader import Loader
from genreid.training.views import Mix, generate

from .conftest import CPU, ENCODER, GENERATOR, Boxes, BoxViews, MatchedBoxViews
from .harness import finish
from .test_generator import SETTINGS

CARRYING = replace(GENERATOR, carries_texture=True)


@pytest.fixture
def loader(boxes: Boxes) -> Loader:
    views = MatchedBoxViews(boxes.images.image_id)
    return Loader(boxes.images, views, CPU, carries_texture=True)  # type: ignore[arg-type]


def test_a_batch_brings_what_image_and_rotated_view_share(loader: Loader) -> None:
    batch = loader.batch_at(np.array([0, 7]), np.array([90, 180], np.int16))
    assert batch.carried is not None and batch.kept is not None
    torch.testing.assert_close(batch.kept[:, :3, :20], batch.image[:, :, :20])
    torch.testing.assert_close(batch.carried[0, :3, :20, 2:], batch.image[0, :, :20, 1:-1])
    torch.testing.assert_close(batch.carried[1, :3, :20, 2:], batch.image[1, :, :20, :-2])
    for texture in (batch.carried, batch.kept):
        assert (texture[:, 3, :20] == 1).all() and not texture[:, :, 20:].any()


def test_each_view_is_painted_with_what_may_be_known_of_it(loader: Loader) -> None:
    """x̂ with what is kept, x_θ with what is carried, x̃ and x_mix with nothing; each pass alone."""
    encoder = build_encoder(ENCODER, 0).eval()
    generator = build_generator(CARRYING, encoder.appearance_dim, 4, 0)
    batch = loader.batch_at(np.array([0, 7, 13]), np.array([90, 180, 270], np.int16))
    mix = Mix(0.7, torch.tensor([2, 0, 1]))
    code = encoder(batch.image).appearance
    views = generate(
        generator,
        encoder,
        batch,
        code,
        mix,
        encode_mixed=False,
        batchnorm="frozen",
        teaches_encoder=True,
    )
    rotated = generator(batch.mesh_rotated, code, batch.carried)
    expected = {
        "reconstruction": generator(batch.mesh, code, batch.kept),
        "rotated": rotated,
        "cycle": generator(batch.mesh, encoder(rotated).appearance),
        "mixed": generator(batch.mesh, mix.of(code)),
    }
    for name, picture in expected.items():
        torch.testing.assert_close(getattr(views, name), picture, atol=1e-4, rtol=1e-4, msg=name)
    assert not torch.allclose(rotated, generator(batch.mesh_rotated, code), atol=1e-2)


def test_pretraining_runs_with_it_and_draws_its_picture(boxes: Boxes, loader: Loader) -> None:
    encoder = build_encoder(ENCODER, 0)
    networks = (
        build_generator(CARRYING, encoder.appearance_dim, 4, 0),
        build_discriminator(SETTINGS.discriminator, 0),
        encoder,
    )
    generation = replace(SETTINGS.generation, same_person=1.0)
    settings = replace(
        SETTINGS, generator=CARRYING, generation=generation, reconstruction_epochs=1, picture_every=2
    )
    reports = finish(
        pretrain_generator(
            *networks, boxes.images, loader, settings, device=CPU, checkpoints=Forgetful(), progress=Silent()
        )
    )
    assert reports[-1].pictures["views"].ndim == 3


def test_shards_without_matches_are_refused(boxes: Boxes) -> None:
    class Plain(BoxViews):
        def require_matches(self) -> None:
            raise GenreidError("no matches")

    with pytest.raises(GenreidError, match="no matches"):
        Loader(boxes.images, Plain(boxes.images.image_id), CPU, carries_texture=True)  # type: ignore[arg-type]
