"""Means of cameras, against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.clustering.cameras import without_camera_mean
from genreid.deployment.cameras import CameraMeans
from genreid.deployment.patterns import check_pattern
from genreid.errors import GenreidError

PATTERN = r"_(?P<camera>c\d+)"
PATHS = ["a_c1.png", "b_c2.png", "c_c1.png", "d_c10.png", "e_c2.png"]


def _rows() -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(5, 4)) + 0.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_rows_less_their_camera_s_mean_are_those_of_clustering() -> None:
    rows = _rows()
    means = CameraMeans.of(PATTERN, PATHS, rows)
    assert list(means.by_camera) == ["c1", "c10", "c2"]
    found = means.take_off(rows, ["c1", "c2", "c1", "c10", "c2"])
    expected = without_camera_mean(torch.from_numpy(rows), np.array([1, 2, 1, 10, 2]))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(found[3], rows[3], atol=1e-6)  # its camera's only image


def test_what_no_camera_is_known_of_is_without_the_mean_of_all() -> None:
    rows = _rows()
    means = CameraMeans.of(PATTERN, PATHS, rows)
    for camera in (None, "c7"):
        (found,) = means.take_off(rows[:1], [camera])
        difference = rows[0] - sum(rows) / 5
        np.testing.assert_allclose(found, difference / np.sqrt((difference**2).sum()), atol=1e-6)


def test_means_come_back_as_they_were() -> None:
    means = CameraMeans.of(PATTERN, PATHS, _rows())
    back = CameraMeans.decoded(means.encoded())
    assert back.pattern == PATTERN and list(back.by_camera) == list(means.by_camera)
    for name, mean in means.by_camera.items():
        np.testing.assert_array_equal(back.by_camera[name], mean)
    np.testing.assert_array_equal(back.overall, means.overall)


def test_patterns_that_tell_nothing_are_refused() -> None:
    check_pattern(PATTERN, "camera")
    with pytest.raises(GenreidError, match=r"'\(' is no regular expression"):
        check_pattern("(", "camera")
    with pytest.raises(GenreidError, match=r"has no group `camera`: write `\(\?P<camera>…\)`"):
        check_pattern(r"c(\d)", "camera")
    with pytest.raises(GenreidError, match=r"finds no camera in any of 2 paths, such as a\.png"):
        CameraMeans.of(PATTERN, ["a.png", "b.png"], _rows()[:2])
