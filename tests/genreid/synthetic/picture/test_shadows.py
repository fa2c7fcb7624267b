from __future__ import annotations

import numpy as np

from genreid.render.zbuffer import rasterise
from genreid.synthetic.figure.figure import Figure
from genreid.synthetic.picture.shadows import GroundView, shadow_map, shadow_on_ground
from tests.genreid.synthetic.people import UP

SUN = np.array([0.48, -0.8, -0.36])


def test_the_shadow_on_the_ground_is_the_projection_along_the_sun(figure: Figure) -> None:
    foot = float((figure.vertices @ UP).min())
    scale, origin = 60.0, np.array([60.0, 60.0])
    shadow = shadow_on_ground(shadow_map(figure, SUN), GroundView(UP, foot, scale, origin, 128, 128))
    # Independent: move every vertex along the sun's rays down to the ground, and draw the triangles there.
    rise = figure.vertices @ UP - foot
    fallen = figure.vertices - (rise / (SUN @ UP))[:, None] * SUN
    points = np.column_stack([fallen[:, :2] * scale + origin, fallen[:, 2]])
    expected = rasterise(points, figure.faces, 128, 128).covered
    found = shadow > 0.5
    assert expected.sum() > 300
    assert (found & expected).sum() / (found | expected).sum() > 0.85
