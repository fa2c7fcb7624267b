"""Mixed views: what is painted with which share, and what stands where in the picture."""

from __future__ import annotations

import numpy as np

from genreid.evaluation.figures import LAMBDAS
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.mixtures import mixtures_picture, paint_mixtures
from genreid.render.sheets import CAPTION_PX, GAP_PX, GROUP_GAP_PX
from tests.genreid.evaluation.test_generation import Images, StubPainter, Views, _true_view, mesh_grey


def test_each_image_is_mixed_with_its_partner_by_the_share_of_its_own() -> None:
    viewed = ViewedImages(Images(), Views(), _true_view)  # type: ignore[arg-type]
    mixed = paint_mixtures(StubPainter(), viewed, np.array([0, 4]), np.array([2, 3]))  # type: ignore[arg-type]
    assert mixed.shape == (2, len(LAMBDAS), 64, 32, 3)
    # The stub paints the code, which is the picture's grey: 10, 20, … 50; on the image's own mesh.
    for row, (own, other, mesh) in enumerate([(10, 30, mesh_grey(0, 0)), (50, 40, mesh_grey(4, 0))]):
        expected = [round(w * own + (1 - w) * other) + mesh for w in LAMBDAS]
        assert mixed[row, :, 1, 0, 0].tolist() == expected


def test_the_picture_goes_from_the_partner_to_the_image() -> None:
    images, partners = (np.full((1, 64, 32, 3), value, np.uint8) for value in (200, 100))
    mixed = np.stack([np.full((64, 32, 3), 110 + 10 * i, np.uint8) for i in range(len(LAMBDAS))])[None]
    similarity = np.linspace(0, 1, len(LAMBDAS))[None]
    sheet = mixtures_picture(images, mixed, partners, similarity, similarity[:, ::-1])
    middle = GROUP_GAP_PX + CAPTION_PX + GAP_PX + 96
    columns = [GROUP_GAP_PX + 48 + i * (96 + GAP_PX) for i in range(len(LAMBDAS) + 2)]
    assert [int(sheet[middle, x, 0]) for x in columns] == [100, 110, 120, 130, 140, 150, 200]
