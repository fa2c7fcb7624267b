"""Properties that every batch must have."""

import itertools
from collections import Counter

import numpy as np

from genreid.data.samplers import identity_batches, shuffled_batches


def test_shuffled_batches_use_each_image_once_before_any_twice() -> None:
    index = np.array([3, 5, 8, 9, 11, 20])
    batches = list(itertools.islice(shuffled_batches(index, 4, np.random.default_rng(0)), 6))
    drawn = np.concatenate(batches)
    assert all(len(batch) == 4 for batch in batches)
    for start in range(0, 24, 6):
        assert sorted(drawn[start : start + 6]) == sorted(index)


def test_a_set_smaller_than_a_batch_fills_it() -> None:
    batch = next(shuffled_batches(np.array([1, 2, 3]), 8, np.random.default_rng(0)))
    assert len(batch) == 8
    assert max(Counter(batch.tolist()).values()) == 3


def test_identity_batches_hold_p_identities_of_k_images_without_outliers() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 10, 300)
    cameras = rng.integers(0, 5, 300)
    batches = list(identity_batches(labels, cameras, 4, 6, np.random.default_rng(1)))
    assert len(batches) == 3  # ten identities by four, filled up
    for batch in batches:
        counts = Counter(labels[batch].tolist())
        assert -1 not in counts
        assert sorted(counts.values()) == [6, 6, 6, 6]
    seen = Counter(labels[np.concatenate(batches)].tolist())
    assert set(seen) == set(range(10))


def test_cameras_take_turns_and_images_repeat_only_when_all_are_used() -> None:
    labels = np.zeros(7, np.int64)
    cameras = np.array([0, 0, 0, 0, 1, 1, 2])
    for seed in range(20):
        (batch,) = identity_batches(labels, cameras, 1, 5, np.random.default_rng(seed))
        assert Counter(cameras[batch].tolist()) == {0: 2, 1: 2, 2: 1}
        assert len(set(batch.tolist())) == 5
    (batch,) = identity_batches(labels, cameras, 1, 10, np.random.default_rng(0))
    assert max(Counter(batch.tolist()).values()) == 2
    assert set(batch.tolist()) == set(range(7))


def test_fewer_identities_than_a_batch_wants_are_drawn_again() -> None:
    labels = np.array([0, 0, 1, 1])
    (batch,) = identity_batches(labels, np.zeros(4, np.int16), 4, 2, np.random.default_rng(0))
    assert len(batch) == 8
    assert set(labels[batch].tolist()) == {0, 1}


def test_unknown_cameras_are_one_camera() -> None:
    labels = np.repeat([0, 1], 6)
    unknown, one = np.full(12, -1, np.int16), np.zeros(12, np.int16)
    of_unknown, of_one = (
        np.concatenate(list(identity_batches(labels, cameras, 2, 4, np.random.default_rng(3))))
        for cameras in (unknown, one)
    )
    assert np.array_equal(of_unknown, of_one) and len(set(of_one.tolist())) == 8
