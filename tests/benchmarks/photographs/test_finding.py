"""What a picture finds, against loops and the program's own ranking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from benchmarks.photographs.crops import Photographs
from benchmarks.photographs.finding import Lists, all_sides, centred, one_side, other_sides, ranked
from genreid.clustering.cameras import without_camera_mean
from genreid.evaluation.ranking import rank


@pytest.fixture
def rows(photographs: Photographs) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(len(photographs), 8)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_all_sides_is_the_fields_protocol(photographs: Photographs, rows: np.ndarray) -> None:
    found = ranked(rows @ rows.T, all_sides(photographs, np.arange(len(rows))))
    for camera in (1, 2):
        own, other = photographs.camera == camera, photographs.camera != camera
        person, cameras = photographs.person, photographs.camera
        theirs = rank(
            rows[own], person[own], cameras[own], rows[other], person[other], cameras[other], max_rank=1
        )
        assert found.first[own].mean() == pytest.approx(theirs.cmc[0])
        np.testing.assert_allclose(found.precision[own], theirs.average_precision)


@pytest.mark.parametrize("yaw_deg", [45, 180, 270])
def test_one_side_and_other_sides(photographs: Photographs, rows: np.ndarray, yaw_deg: int) -> None:
    index = np.arange(len(rows))
    similarity = rows @ rows.T
    asked = {
        yaw_deg: ranked(similarity, one_side(photographs, index, yaw_deg)),
        None: ranked(similarity, other_sides(photographs, index)),
    }
    for wanted, found in asked.items():
        for query in range(0, len(rows), 5):
            truth, score = [], []
            for other in range(len(rows)):
                if photographs.camera[other] == photographs.camera[query]:
                    continue
                turn = (photographs.heading_deg[other] - photographs.heading_deg[query]) % 360
                same = photographs.person[other] == photographs.person[query]
                if same and (turn != wanted if wanted is not None else turn == 0):
                    continue
                truth.append(same)
                score.append(similarity[query, other])
            expected = average_precision_score(truth, score)
            assert found.precision[query] == pytest.approx(expected)
            assert found.first[query] == truth[int(np.argmax(score))]


def test_a_query_without_a_match_has_no_figure() -> None:
    true, left_out = np.array([[True, False], [False, False]]), np.array([[True, False], [False, False]])
    found = ranked(np.ones((2, 2)), Lists(true, left_out))
    assert np.isnan(found.first).all() and np.isnan(found.precision).all()


def test_centred_is_that_of_the_program(photographs: Photographs, rows: np.ndarray) -> None:
    camera = photographs.camera
    theirs = without_camera_mean(torch.from_numpy(rows), camera).numpy()
    np.testing.assert_allclose(centred(rows, camera, rows, camera), theirs, atol=1e-6)


def test_centred_takes_the_mean_of_the_real_ones() -> None:
    real = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    row = np.array([[0.5, 0.5 + 3], [1.0, 0.0]])
    less = centred(row, np.array([7, 9]), real, np.array([7, 7, 9]))
    np.testing.assert_allclose(less, [[0, 1], [1, 0]])  # the second is its camera's mean, and stays
