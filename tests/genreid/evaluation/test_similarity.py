"""Likeness and distances against scikit-image, loops and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from skimage.metrics import structural_similarity

from genreid.evaluation.similarity import ViewErrors, frechet_distance, l1, ssim, ssim_maps, view_errors


def _pictures(seed: int, num: int = 3) -> np.ndarray:
    """Smooth random pictures: noise alone has no structure to compare."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (num, 16, 8, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def _noisy(pictures: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 20, pictures.shape)
    return (pictures + noise).clip(0, 255).astype(np.uint8)


def test_ssim_is_scikit_images() -> None:
    first = _pictures(0)
    second = _noisy(first, 1)
    maps = ssim_maps(first, second)
    for i, value in enumerate(ssim(first, second)):
        mean, full = structural_similarity(
            first[i],
            second[i],
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            full=True,
        )
        assert value == pytest.approx(mean, abs=1e-9)
        np.testing.assert_allclose(maps[i], full.mean(axis=2), atol=1e-9)
    assert ssim(first, second).min() > 0 and ssim(first, second).max() < 0.99
    np.testing.assert_allclose(ssim(first, first), 1)


def test_l1_is_on_the_scale_of_one() -> None:
    black, grey = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 51, np.uint8)
    np.testing.assert_allclose(l1(black, grey), 0.2)
    np.testing.assert_allclose(l1(grey, black), 0.2)


def test_view_errors_within_the_silhouette_by_a_loop() -> None:
    true = _pictures(2)
    painted = _noisy(true, 3)
    silhouettes = np.zeros((3, 64, 32), bool)
    silhouettes[0, 10:50, 8:24] = True
    silhouettes[1, 5:20, 2:9] = True
    errors = view_errors(painted, true, silhouettes)
    maps = ssim_maps(painted, true)
    for i in range(2):
        differences, likeness = [], []
        for y in range(64):
            for x in range(32):
                if silhouettes[i, y, x]:
                    channels = [abs(int(painted[i, y, x, c]) - int(true[i, y, x, c])) for c in range(3)]
                    differences.append(sum(channels) / 3 / 255)
                    likeness.append(maps[i, y, x])
        assert errors.person_l1[i] == pytest.approx(sum(differences) / len(differences))
        assert errors.person_ssim[i] == pytest.approx(sum(likeness) / len(likeness))
    np.testing.assert_allclose(errors.l1, l1(painted, true))
    np.testing.assert_allclose(errors.ssim, ssim(painted, true))


def test_a_person_who_cannot_be_seen_is_left_out_of_the_means() -> None:
    true = _pictures(2)
    silhouettes = np.zeros((3, 64, 32), bool)
    silhouettes[:2] = True
    errors = view_errors(_noisy(true, 3), true, silhouettes)
    assert math.isnan(errors.person_l1[2]) and math.isnan(errors.person_ssim[2])
    assert errors.means()["person_l1"] == pytest.approx(errors.l1[:2].mean())
    assert set(errors.means()) == {"l1", "ssim", "person_l1", "person_ssim"}


def test_parts_are_joined_field_by_field() -> None:
    first = ViewErrors(*(np.arange(2.0) + 10 * field for field in range(4)))
    second = ViewErrors(*(np.arange(2.0) + 10 * field + 5 for field in range(4)))
    together = ViewErrors.joined([first, second], np.stack, axis=1)
    np.testing.assert_array_equal(together.person_l1, [[20, 25], [21, 26]])


def test_frechet_distance_of_normal_samples_approaches_the_closed_form() -> None:
    """Independent coordinates: Σ (μ1 − μ2)² + (σ1 − σ2)²."""
    rng = np.random.default_rng(0)
    first = rng.normal([0, 1, 2], [1, 2, 3], (200_000, 3))
    second = rng.normal([1, 1, 0], [2, 2, 1], (200_000, 3))
    assert frechet_distance(first, second) == pytest.approx(1 + 0 + 4 + 1 + 0 + 4, rel=0.02)


def test_frechet_distance_against_the_matrix_square_root() -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)) + shift for shift in (0, 0.5))
    spread = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    shift = first.mean(0) - second.mean(0)
    root = scipy.linalg.sqrtm(spread[0] @ spread[1]).real
    expected = shift @ shift + np.trace(spread[0] + spread[1] - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_fewer_samples_than_features() -> None:
    rng = np.random.default_rng(2)
    few = rng.normal(size=(5, 30))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(few, few + 1) == pytest.approx(30, rel=1e-6)


def test_no_frechet_distance_is_below_zero() -> None:
    """As rounding would have it for about half of all sets that are compared with themselves."""
    for seed in range(30):
        features = np.random.default_rng(seed).normal(size=(40, 6))
        assert 0 <= frechet_distance(features, features) < 1e-9


def test_every_picture_is_compared_with_one() -> None:
    pictures = np.zeros((3, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="shorter"):
        ssim_maps(pictures, pictures[:2])
