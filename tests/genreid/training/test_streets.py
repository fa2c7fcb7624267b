"""Streets are those of other cameras."""

from __future__ import annotations

import numpy as np

from genreid.training.streets import draw_streets


def test_streets_are_of_other_cameras_and_of_images_with_a_mesh() -> None:
    camera_id = np.array([1, 1, 2, 2, -1, -1, 3])
    with_mesh = np.array([0, 1, 2, 4, 6])
    rng = np.random.default_rng(0)
    drawn = np.array([draw_streets(with_mesh, camera_id, with_mesh, rng) for _ in range(200)])
    found = [set(column.tolist()) for column in drawn.T]
    assert found == [{2, 4, 6}, {2, 4, 6}, {0, 1, 4, 6}, {0, 1, 2, 6}, {0, 1, 2, 4}]


def test_with_one_camera_any_street_will_do() -> None:
    index = np.arange(3)
    drawn = [draw_streets(index, np.zeros(3), index, np.random.default_rng(seed)) for seed in range(60)]
    assert {tuple(set(column.tolist())) for column in np.array(drawn).T} == {(0, 1, 2)}
