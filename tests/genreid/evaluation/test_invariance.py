"""Hits by viewpoint, spreads and prototypes, by hand and by a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from genreid.evaluation.invariance import (
    PairHits,
    Seen,
    bins,
    largest_changes,
    pair_hits,
    partners,
    prototypes,
    spread,
    viewpoint_difference_deg,
)


def _random(num: int, seed: int) -> Seen:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(num, 6))
    return Seen(
        embedding=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
        person_id=rng.integers(-1, 6, num),
        camera_id=rng.integers(1, 4, num),
        heading_deg=rng.uniform(-180, 180, num),
    )


def test_hits_are_those_of_a_plain_loop() -> None:
    queries, gallery = _random(40, 0), _random(90, 1)
    found = sorted(zip(*vars(pair_hits(queries, gallery)).values(), strict=True))
    expected = []
    for q in range(40):
        if queries.person_id[q] <= 0:
            continue
        cosines = gallery.embedding @ queries.embedding[q]
        wrong = [
            c for c, p in zip(cosines, gallery.person_id, strict=True) if p not in (queries.person_id[q], -1)
        ]
        for g in range(90):
            if gallery.person_id[g] == queries.person_id[q] and gallery.camera_id[g] != queries.camera_id[q]:
                turn = abs(queries.heading_deg[q] - gallery.heading_deg[g])
                expected.append((min(turn, 360 - turn), cosines[g] > max(wrong)))
    expected.sort()
    assert len(expected) > 50 and any(hit for _, hit in expected)
    np.testing.assert_allclose([one[0] for one in found], [one[0] for one in expected])
    assert [one[1] for one in found] == [one[1] for one in expected]


def test_headings_differ_by_the_short_way_round() -> None:
    first, second = np.array([170.0, 0.0, -90.0, 10.0]), np.array([-170.0, 180.0, 90.0, 10.0])
    np.testing.assert_allclose(viewpoint_difference_deg(first, second), [20, 180, 180, 0])


def test_rates_by_bin() -> None:
    hits = PairHits(np.array([0.0, 29.9, 30.0, 180.0]), np.array([True, False, True, True]))
    assert hits.rate(0, 30) == 0.5 and hits.num(0, 30) == 2
    assert hits.rate(150, 180) == 1 and hits.num(150, 180) == 1
    assert np.isnan(hits.rate(60, 90))
    assert sum(hits.num(*one) for one in bins()) == 4


def test_images_without_a_heading_are_in_no_bin() -> None:
    one = Seen(np.eye(2, dtype=np.float32)[:1], np.array([1]), np.array([1]), np.array([np.nan]))
    other = Seen(np.eye(2, dtype=np.float32), np.array([1, 2]), np.array([2, 2]), np.array([0.0, 0.0]))
    assert len(pair_hits(one, other).hit) == 0


def test_spread_beside_the_nearest_other_person() -> None:
    """Rotated views at 60 and 90 degrees of arc, the nearest other person at 60, junk nearer still."""
    half = np.sqrt(3) / 2
    images = Seen(np.array([[1.0, 0.0, 0.0]]), np.array([4]), np.array([1]), np.array([0.0]))
    rotated = np.array([[[0.5, half, 0.0], [0.0, 1.0, 0.0]]])
    rows = np.array([[1.0, 0, 0], [half, 0.5, 0], [0.5, 0, half], [0, 0, 1.0]])
    gallery = Seen(rows, np.array([4, -1, 0, 5]), np.ones(4, int), np.zeros(4))
    found = spread(images, rotated, gallery)
    np.testing.assert_allclose(found.rotation, [[0.5, 1.0]])
    assert found.nearest_other == pytest.approx([0.5])
    assert found.ratio == pytest.approx(1.5)


def test_a_prototype_is_the_direction_of_the_mean() -> None:
    gallery = Seen(np.eye(3), np.array([1, 1, 2]), np.ones(3, int), np.zeros(3))
    found = prototypes(np.array([2, 1, 7, 1]), gallery)
    diagonal = [np.sqrt(0.5), np.sqrt(0.5), 0]
    np.testing.assert_allclose(found[[0, 1, 3]], [[0, 0, 1], diagonal, diagonal], atol=1e-6)
    assert np.isnan(found[2]).all()


def test_partners_are_somebody_else() -> None:
    person_id = np.array([1, 1, 2, 3, 3, 3])
    chosen = partners(person_id, 1)
    assert (person_id[chosen] != person_id).all()
    assert np.array_equal(chosen, partners(person_id, 1))
    assert np.array_equal(partners(np.array([5, 5]), 1), [0, 1])


def test_the_best_and_the_worst_queries_come_once() -> None:
    before = np.array([0.5, 0.5, np.nan, 0.5, 0.5])
    after = np.array([0.6, 0.1, 0.9, 0.9, 0.4])
    assert largest_changes(before, after, 1).tolist() == [3, 1]
    assert largest_changes(before, after, 2).tolist() == [3, 0, 4, 1]
    assert sorted(largest_changes(before, after, 3).tolist()) == [0, 1, 3, 4]
