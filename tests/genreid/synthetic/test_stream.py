from __future__ import annotations

import numpy as np
import pytest

from genreid.body.body import Body
from genreid.synthetic import stream
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.stream import SHOTS_AN_IDENTITY, training_scene


@pytest.fixture(autouse=True)
def few_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plates are costly; the stream's logic does not depend on their number."""
    monkeypatch.setattr(stream, "NUM_CAMERAS", 2)


def test_a_scene_depends_on_its_number_alone(body: Body) -> None:
    forward = [training_scene(body, 5, index, 64, 32) for index in (0, 1, 9)]
    backward = [training_scene(body, 5, index, 64, 32) for index in (9, 1, 0)][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.camera, b.camera)
    other = training_scene(body, 6, 0, 64, 32)
    assert not np.array_equal(other.image, forward[0].image)


def test_neighbours_share_a_person_in_other_poses(body: Body) -> None:
    scenes = [
        training_scene(body, 5, index, 64, 32) for index in (0, SHOTS_AN_IDENTITY - 1, SHOTS_AN_IDENTITY)
    ]
    betas = [scene.parameters.betas[0].numpy() for scene in scenes]
    assert np.array_equal(betas[0], betas[1])
    assert not np.array_equal(betas[0], betas[2])
    assert not np.array_equal(scenes[0].parameters.body_pose, scenes[1].parameters.body_pose)


def test_nobody_of_a_benchmark_is_in_the_stream(body: Body, benchmark_64: Benchmark) -> None:
    known = {
        benchmark_64.render(shot).parameters.betas[0].numpy().tobytes() for shot in benchmark_64.shots[:6]
    }
    seen = {
        training_scene(body, benchmark_64.seed, 8 * k, 64, 32).parameters.betas[0].numpy().tobytes()
        for k in range(6)
    }
    assert known.isdisjoint(seen)


def test_headings_go_all_ways(body: Body) -> None:
    headings = [training_scene(body, 1, index, 64, 32).heading_deg for index in range(24)]
    quarters = np.histogram(headings, bins=4, range=(-180, 180))[0]
    assert (quarters >= 2).all(), quarters
