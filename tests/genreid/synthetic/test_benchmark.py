from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import Body
from genreid.body.camera import project
from genreid.body.rotations import heading_deg
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.picture.scene import Scene
from genreid.synthetic.plan import Shot
from tests.genreid.synthetic.conftest import small_settings


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def shots_of_persons(benchmark: Benchmark, num: int) -> list[Shot]:
    """Some shots without a person's part out of the box on purpose."""
    return [shot for shot in benchmark.shots if shot.person_id > 0][:: max(1, len(benchmark.shots) // num)][
        :num
    ]


def projected(benchmark: Benchmark, scene: Scene) -> np.ndarray:
    """(V, 2) pixels of the naked body's vertices, through the public camera."""
    posed = benchmark.body.pose(scene.parameters)
    camera = torch.from_numpy(scene.camera)[None]
    return project(posed.vertices, camera, benchmark.settings.height_px, benchmark.settings.width_px)[
        0
    ].numpy()


def test_a_picture_does_not_depend_on_what_was_drawn_before(benchmark_64: Benchmark, body: Body) -> None:
    shots = shots_of_persons(benchmark_64, 3)
    forward = [png(benchmark_64.render(shot).image) for shot in shots]
    fresh = Benchmark(body, benchmark_64.settings, benchmark_64.seed)
    backward = [png(fresh.render(shot).image) for shot in reversed(shots)][::-1]
    assert forward == backward
    assert len(set(forward)) == len(shots)


def test_sizes_and_types(benchmark_64: Benchmark) -> None:
    scene = benchmark_64.render(benchmark_64.shots[0])
    assert scene.image.shape == (64, 32, 3)
    assert scene.image.dtype == np.uint8
    assert scene.silhouette.shape == (64, 32)
    assert scene.silhouette.dtype == bool
    assert scene.camera.shape == (3,)
    assert len(scene.parameters) == 1


def test_other_sizes_are_drawn_with_more_detail(body: Body) -> None:
    large = Benchmark(body, small_settings(height_px=128, width_px=64), seed=3)
    shot = shots_of_persons(large, 1)[0]
    small = Benchmark(body, small_settings(), seed=3)
    a, b = large.render(shot), small.render(shot)
    shrunk = cv2.resize(a.silhouette.astype(np.uint8), (32, 64), interpolation=cv2.INTER_AREA) > 0
    assert (shrunk & b.silhouette).sum() / (shrunk | b.silhouette).sum() > 0.85


def test_the_silhouette_covers_the_projected_body(benchmark_64: Benchmark) -> None:
    for shot in shots_of_persons(benchmark_64, 6):
        scene = benchmark_64.render(shot)
        u, v = np.floor(projected(benchmark_64, scene)).astype(int).T
        inside = (u >= 0) & (u < 32) & (v >= 0) & (v < 64)
        # A pixel of tolerance: fingers are thinner than a pixel. Clothes and bags may only add.
        near = cv2.dilate(scene.silhouette.astype(np.uint8), np.ones((3, 3), np.uint8))
        assert near[v[inside], u[inside]].mean() > 0.97, shot.image_id
        drawn = np.zeros((64, 32), np.uint8)
        drawn[v[inside], u[inside]] = 1
        body_area = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
        assert (body_area & scene.silhouette).sum() > 0.45 * scene.silhouette.sum()


def test_heading_is_where_nose_and_hips_point(benchmark_64: Benchmark) -> None:
    template = benchmark_64.body.template
    head = np.flatnonzero(template[:, 1] > template[:, 1].max() - 0.22)
    nose = head[template[head, 2].argmax()]
    for shot in shots_of_persons(benchmark_64, 6):
        scene = benchmark_64.render(shot)
        posed = benchmark_64.body.pose(scene.parameters)
        joints, vertices = posed.joints[0].numpy(), posed.vertices[0].numpy()
        across, up = joints[1] - joints[2], joints[12] - joints[0]
        ahead = np.cross(across, up)
        by_hips = np.degrees(np.arctan2(ahead[0], -ahead[2]))
        assert abs((by_hips - scene.heading_deg + 180) % 360 - 180) < 8.0, shot.image_id
        look = vertices[nose] - joints[15]
        by_nose = np.degrees(np.arctan2(look[0], -look[2]))
        assert abs((by_nose - scene.heading_deg + 180) % 360 - 180) < 40.0, shot.image_id
        # The plan's heading is seen from above; the camera's tilt changes it by a few degrees.
        assert abs((shot.heading_deg - scene.heading_deg + 180) % 360 - 180) < 7.0
        assert scene.heading_deg == pytest.approx(
            float(heading_deg(scene.parameters.global_orient)[0]), abs=1e-3
        )


def test_a_rotated_view_turns_to_the_persons_left(benchmark_64: Benchmark) -> None:
    shot = shots_of_persons(benchmark_64, 2)[1]
    scene, turned = benchmark_64.render(shot), benchmark_64.render(shot, 45.0)
    gained = (turned.heading_deg - scene.heading_deg) % 360
    assert 35.0 < gained < 55.0
    # Somebody who faces the camera and turns to the own left faces the picture's right.
    toward = benchmark_64.render(shot, -scene.heading_deg)
    left = benchmark_64.render(shot, -scene.heading_deg + 60.0)
    assert abs(toward.heading_deg) < 3.0
    template = benchmark_64.body.template
    nose = template[:, 2][template[:, 1] > template[:, 1].max() - 0.22].max()
    index = int(np.flatnonzero(template[:, 2] == nose)[0])
    assert projected(benchmark_64, left)[index, 0] > projected(benchmark_64, toward)[index, 0]
    assert np.array_equal(scene.camera, turned.camera)
    assert torch.equal(scene.parameters.body_pose, turned.parameters.body_pose)
    assert torch.equal(scene.parameters.betas, turned.parameters.betas)


def test_only_the_person_turns(benchmark_64: Benchmark) -> None:
    shot = next(s for s in shots_of_persons(benchmark_64, 6))
    scene, turned = benchmark_64.render(shot), benchmark_64.render(shot, 180.0)
    person = (
        cv2.dilate((scene.silhouette | turned.silhouette).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    )
    background = ~person
    background[40:] = False  # shadows turn with the person
    difference = np.abs(scene.image.astype(int) - turned.image.astype(int)).mean(axis=2)
    assert background.sum() > 50
    assert np.median(difference[background]) <= 6.0  # JPEG blocks that the person shares
    inside = scene.silhouette & turned.silhouette
    assert difference[inside].mean() > 2.0 * difference[background].mean()


def test_a_full_turn_is_no_turn(benchmark_64: Benchmark) -> None:
    shot = shots_of_persons(benchmark_64, 1)[0]
    scene, turned = benchmark_64.render(shot), benchmark_64.render(shot, 360.0)
    assert (scene.silhouette ^ turned.silhouette).sum() <= 3
    assert np.abs(scene.image.astype(int) - turned.image.astype(int)).mean() < 0.5


def test_junk_boxes_miss_the_person(benchmark_64: Benchmark) -> None:
    def in_box(shot: Shot) -> float:
        uv = projected(benchmark_64, benchmark_64.render(shot))
        return ((uv >= 0) & (uv < [32, 64])).all(axis=1).mean()

    junk = [in_box(shot) for shot in benchmark_64.shots if shot.person_id == -1]
    persons = [in_box(shot) for shot in shots_of_persons(benchmark_64, 8)]
    assert np.median(junk) < 0.8 < 0.9 < np.median(persons)
