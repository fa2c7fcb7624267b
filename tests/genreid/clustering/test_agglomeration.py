from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_array
from scipy.spatial.distance import squareform

from genreid.clustering.agglomeration import Links, average_linkage, between_groups
from genreid.errors import GenreidError


def drawn(num: int, share: float, seed: int) -> np.ndarray:
    """(N, N) symmetric likeness, most of it 0."""
    rng = np.random.default_rng(seed)
    person = rng.integers(0, max(1, num // 6), num)
    likeness = rng.uniform(0, 1, (num, num)) * np.where(person[:, None] == person, 1.0, 0.4)
    likeness = np.triu(likeness * (rng.uniform(size=likeness.shape) < share), 1)
    return likeness + likeness.T


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_groups_are_those_of_one_merge_at_a_time(seed: int, share: float) -> None:
    likeness = drawn(60, share, seed)
    tree = linkage(squareform(1 - likeness, checks=False), "average")
    for least in (0.05, 0.2, 0.4, 0.7):
        found = average_linkage(csr_array(likeness), least)
        assert partition(found.labels) == partition(fcluster(tree, 1 - least, "distance"))
        levels = [merge.likeness for merge in found.merges]
        assert levels == sorted(levels)
        np.testing.assert_allclose(levels, np.sort(1 - tree[:, 2])[::-1][: len(levels)][::-1], atol=1e-9)


def test_equal_values_are_merged_too() -> None:
    likeness = np.ones((7, 7)) - np.eye(7)
    assert set(average_linkage(csr_array(likeness), 1.0).labels) == {0}
    ring = np.roll(np.eye(6), 1, 1)
    found = average_linkage(csr_array(ring + ring.T), 0.5)
    assert partition(found.labels) == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4, 5})}


def test_groups_are_numbered_by_their_first_image() -> None:
    likeness = np.zeros((5, 5))
    likeness[1, 4] = likeness[4, 1] = 0.9
    assert average_linkage(csr_array(likeness), 0.5).labels.tolist() == [0, 1, 2, 3, 1]
    assert average_linkage(csr_array((0, 0)), 0.5).labels.tolist() == []


def links(num: int, **given: object) -> Links:
    none = Links.none(num)
    same, different = (np.array(given.get(kind, np.empty((0, 2))), int) for kind in ("same", "different"))
    return Links(same.reshape(-1, 2), different.reshape(-1, 2), np.array(given.get("name", none.name)))


@pytest.mark.parametrize("seed", range(6))
def test_links_are_obeyed(seed: int) -> None:
    rng, num = np.random.default_rng(seed), 50
    likeness = drawn(num, 0.6, seed)
    same, different = rng.integers(0, num, (4, 2)), rng.integers(0, num, (40, 2))
    alone = average_linkage(csr_array(likeness), 1.0, links(num, same=same)).labels
    different = different[alone[different[:, 0]] != alone[different[:, 1]]]
    free, found = (
        average_linkage(csr_array(likeness), 0.1, links(num, same=same, different=pairs)).labels
        for pairs in (np.empty((0, 2)), different)
    )
    assert (free[different[:, 0]] == free[different[:, 1]]).any(), "without them some would be one group"
    assert (found[same[:, 0]] == found[same[:, 1]]).all()
    assert (found[different[:, 0]] != found[different[:, 1]]).all()


def test_known_persons_are_one_group_each_and_never_two() -> None:
    likeness = np.full((8, 8), 0.9) - 0.9 * np.eye(8)
    likeness[7] = likeness[:, 7] = 0
    name = np.array([3, -1, -1, 5, 3, -1, -1, 5])
    labels = average_linkage(csr_array(likeness), 0.3, links(8, name=name)).labels
    assert labels[0] == labels[4] != labels[3] == labels[7]
    assert set(labels) == {0, labels[3]}, "all others joined one of the two"


def test_contradicting_links_are_refused() -> None:
    likeness = csr_array((4, 4))
    with pytest.raises(GenreidError, match="images 0 and 2 are said to be of two persons, and by"):
        average_linkage(likeness, 0.5, links(4, same=[(0, 1), (1, 2)], different=[(0, 2)]))
    with pytest.raises(GenreidError, match="two images of different known persons are said to be the same"):
        average_linkage(likeness, 0.5, links(4, same=[(0, 1)], name=[1, 2, -1, -1]))
    with pytest.raises(GenreidError, match="least likeness of a group is 0"):
        average_linkage(likeness, 0.0)


def test_mean_likeness_between_groups() -> None:
    likeness, labels = drawn(30, 0.5, 3), np.random.default_rng(4).integers(0, 5, 30)
    found = between_groups(csr_array(likeness), labels).toarray()
    for one in range(5):
        for other in range(5):
            pairs = likeness[np.ix_(labels == one, labels == other)]
            assert found[one, other] == pytest.approx(0 if one == other else pairs.mean())
