from __future__ import annotations

from dataclasses import replace

import numpy as np

from genreid.body.turns import turn_about
from genreid.render.zbuffer import rasterise
from genreid.synthetic.figure.figure import Figure, build, dress_up
from genreid.synthetic.figure.mannequin import Mannequin
from genreid.synthetic.picture.light import Illumination
from genreid.synthetic.picture.shading import shade
from genreid.synthetic.picture.shadows import ShadowMap, shadow_map
from tests.genreid.synthetic.people import LOGO, SHIRT, T_POSE, UP, someone


def test_sun_lights_its_own_side(figure: Figure) -> None:
    points = np.column_stack([figure.vertices[:, :2] * 60 + 64, figure.vertices[:, 2]])
    fragments = rasterise(points, figure.faces, 128, 128)
    light = Illumination(np.array([0.9, -0.3, -0.3]), np.ones(3), 0.2 * np.ones(3), np.zeros(3), UP)
    shadow = shadow_map(figure, light.sun)
    lit = shade(figure, figure.faces, fragments, light, shadow, 60.0, 1)
    assert (lit[~fragments.covered] == 0).all()
    # The trunk's left half of the picture turns away from a sun on the right.
    trunk = fragments.covered & (np.arange(128)[:, None] > 45) & (np.arange(128)[:, None] < 70)
    left = lit[trunk & (np.arange(128)[None] < 62) & (np.arange(128)[None] > 50)].mean()
    right = lit[trunk & (np.arange(128)[None] > 66) & (np.arange(128)[None] < 78)].mean()
    assert right > 1.3 * left
    buried = ShadowMap(np.full_like(shadow.depth, -10.0), shadow.axes)
    dark = shade(figure, figure.faces, fragments, light, buried, 60.0, 1)
    assert dark.sum() < 0.6 * lit.sum()


def test_front_and_back_of_a_print_differ(mannequin: Mannequin) -> None:
    dressed = dress_up(mannequin, someone(top=replace(SHIRT, back=LOGO)))
    chest = []
    for turn in (0.0, 180.0):
        root = turn_about(0, 180.0) @ turn_about(1, turn)
        posed = build(mannequin, dressed, root, T_POSE, np.array([0.0, -1.0, 0.0]), 3)
        points = np.column_stack([posed.vertices[:, :2] * 60 + 64, posed.vertices[:, 2]])
        fragments = rasterise(points, posed.faces, 128, 128)
        light = Illumination(
            np.array([0.0, -1.0, 0.0]), np.zeros(3), np.ones(3), np.ones(3), np.array([0.0, -1.0, 0.0])
        )
        colour = shade(posed, posed.faces, fragments, light, None, 60.0, 1)
        # y = 0.27 m above the pelvis, 0.05 m aside of the middle.
        chest.append(colour[47:50, 66:68].mean(axis=(0, 1)))
    front, back = chest
    assert back[0] > 2.5 * back[1]
    assert front[0] < 1.5 * front[1]
