"""The picture of a run against the networks themselves, one image at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genreid.data.transforms import denormalise
from genreid.models.initialisation import build_encoder, build_generator
from genreid.render.sheets import GenerationRow
from genreid.training import pictures
from genreid.training.pictures import LAMBDAS, generation_picture

from .conftest import ENCODER, GENERATOR, BoxViews, make_boxes


def test_each_row_is_what_the_networks_make_of_its_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = make_boxes(tmp_path, BoxViews)
    encoder = build_encoder(ENCODER, 0).train()
    generator = build_generator(GENERATOR, encoder.appearance_dim, 4, 0).eval()
    given: list[Any] = []
    monkeypatch.setattr(pictures, "generation_sheet", lambda *sheet: given.extend(sheet))
    generation_picture(generator, encoder, boxes.loader, seed=1)
    rows, yaws_deg, lambdas = given
    assert encoder.training and not generator.training
    assert (yaws_deg, lambdas) == ([90, 180, 270], LAMBDAS) and len(rows) == 6

    everything = boxes.images.load(np.arange(len(boxes.images)))
    shown = [int(np.flatnonzero((everything == row.image).all(axis=(1, 2, 3)))[0]) for row in rows]
    assert len(set(shown)) == 6 and len(boxes.images) - 1 not in shown, "the last one has no mesh"
    encoder.eval()
    for row, image, following in zip(rows, shown, [*shown[1:], shown[0]], strict=True):
        _check(row, image, following, boxes, encoder, generator)


@torch.no_grad()
def _check(row: GenerationRow, image: int, following: int, boxes: Any, encoder: Any, generator: Any) -> None:
    own, other = (encoder(boxes.loader.images_at(np.array([i]))).appearance for i in (image, following))
    np.testing.assert_array_equal(row.mesh, boxes.views.load("", 0))
    for view, yaw_deg in zip(row.rotated, (90, 180, 270), strict=True):
        batch = boxes.loader.batch_at(np.array([image]), np.array([yaw_deg]))
        _same(view, generator(batch.mesh_rotated, own))
    structure = generator.encode_structure(batch.mesh)
    _same(row.reconstruction, generator.paint(structure, own))
    for view, weight in zip(row.mixed, (0, 0.25, 0.5, 0.75, 1), strict=True):
        _same(view, generator.paint(structure, weight * own + (1 - weight) * other))


def _same(picture: np.ndarray, painted: torch.Tensor) -> None:
    np.testing.assert_allclose(picture.astype(int), denormalise(painted)[0], atol=1)
