from __future__ import annotations

import numpy as np
import pytest

from benchmarks.grouping import bcubed


def test_bcubed_is_that_of_a_loop_over_images() -> None:
    rng = np.random.default_rng(0)
    person, labels = rng.integers(0, 9, 60), rng.integers(-1, 12, 60)
    precisions, recalls = [], []
    for image in range(60):
        own = [image] if labels[image] < 0 else np.flatnonzero(labels == labels[image])
        of = np.flatnonzero(person == person[image])
        both = len(set(own) & set(of))
        precisions.append(both / len(own))
        recalls.append(both / len(of))
    precision, recall = np.mean(precisions), np.mean(recalls)
    alone = int((labels < 0).sum())
    expected = (precision, recall, 2 * precision * recall / (precision + recall))
    assert bcubed(labels, person)[:3] == pytest.approx(expected)
    assert bcubed(labels, person)[3:] == (alone + len(set(labels[labels >= 0])), len(set(person)))
