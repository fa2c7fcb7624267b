from __future__ import annotations

import numpy as np

from genreid.render.zbuffer import rasterise
from genreid.synthetic.figure.figure import Figure, visible_faces


def test_what_turns_away_is_not_missed(figure: Figure) -> None:
    points = np.column_stack([figure.vertices[:, :2] * 60 + 64, figure.vertices[:, 2]])
    every, some = rasterise(points, figure.faces, 128, 128), visible_faces(figure, points)
    assert len(some) < 0.7 * len(figure.faces)
    assert np.array_equal(rasterise(points, some, 128, 128).depth, every.depth)
