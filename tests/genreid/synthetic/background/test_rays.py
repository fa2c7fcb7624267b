from __future__ import annotations

import numpy as np
import pytest

from genreid.synthetic.background.rays import hit_solid, sunlit


def test_slabs_against_many_small_steps() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(250):
        solid = np.array([-0.5, 0.8, 0.2, 1.3, 2.0, 3.1, rng.uniform(-0.1, 0.3), rng.uniform(-0.1, 0.3)])
        origin = np.array([rng.uniform(-2, 2), rng.uniform(0, 3), 0.0])
        ray = np.array([rng.uniform(-0.4, 0.4), rng.uniform(-0.6, 0.2), 1.0])
        ray /= np.linalg.norm(ray)
        t = np.arange(0.0, 5.0, 0.002)
        p, y, q = (origin + t[:, None] * ray).T
        rise = y - solid[2]
        inside = (
            (y >= solid[2])
            & (y <= solid[3])
            & (p >= solid[0] + solid[6] * rise)
            & (p <= solid[1] - solid[6] * rise)
            & (q >= solid[4] + solid[7] * rise)
            & (q <= solid[5] - solid[7] * rise)
        )
        found, side = hit_solid(origin, ray, solid)
        if inside.any():
            hits += 1
            assert found == pytest.approx(t[inside.argmax()], abs=0.003)
            assert side >= 0
        else:
            assert found > 4.99
    assert hits > 30


def test_shadows_of_walls_and_boxes() -> None:
    sun = np.array([0.0, np.sin(np.radians(45)), np.cos(np.radians(45))])
    walls = np.array([-8.0, 6.0, 8.0, 6.0])
    no_crowns = np.zeros((0, 5))
    box = np.array([[-1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]])
    nothing = np.zeros((0, 8))

    def light(q: float, solids: np.ndarray = nothing) -> float:
        return sunlit(np.array([0.0, 0.01, q]), sun, solids, no_crowns, walls)

    # A wall of 6 m throws 6 m of shadow at 45°.
    assert light(1.9) == 1.0
    assert light(2.1) == 0.0
    assert light(-0.5, box) == 0.0
    assert light(-1.5, box) == 1.0
