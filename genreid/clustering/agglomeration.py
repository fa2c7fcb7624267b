"""Groups by average linkage on a sparse graph, at any size that the graph reaches.

Source: average linkage (UPGMA; Sokal and Michener, 1958). Linkages that no merge brings closer to a third
group may merge all pairs that are nearest to each other at once, and end with the tree that one merge at a
time gives (Bruynooghe, 1978: reducibility); so each round here is a few sparse products.

N images, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from genreid.errors import GenreidError

_NEVER = -1e9
"""Added to the likeness of two images that must not be one group: no sum of others makes up for it."""


@dataclass(frozen=True)
class Links:
    """What is known of pairs of images: positions, (S, 2) of the same person and (T, 2) of different ones.

    name: (N,) int, of images whose person is known, and −1: those of one name are one group, and groups of
    two names are never merged.
    """

    same: np.ndarray
    different: np.ndarray
    name: np.ndarray

    @classmethod
    def none(cls, num: int) -> Links:
        empty = np.empty((0, 2), np.int64)
        return cls(empty, empty, np.full(num, -1))


@dataclass(frozen=True)
class Merge:
    """Two groups became one, at the mean likeness of their pairs. groups: the lowest image of each."""

    likeness: float
    groups: tuple[int, int]


@dataclass(frozen=True)
class Grouping:
    """labels: (N,) int64, 0..G−1, numbered by each group's first image. merges: the least alike first, but
    for those that `Links` asked for.
    """

    labels: np.ndarray
    merges: tuple[Merge, ...]


def average_linkage(likeness: csr_array, least: float, links: Links | None = None) -> Grouping:
    """Merge the two groups whose pairs are most alike in the mean, until that mean is below `least`.

    likeness: (N, N) symmetric, without a diagonal, 0 to 1; a pair that it does not hold has 0. least: above
    0, so that groups without a pair in it are never merged. Raises GenreidError where `links` contradict
    each other.
    """
    if not 0 < least <= 1:
        raise GenreidError(f"the least likeness of a group is {least}: expected above 0 and at most 1")
    num = likeness.shape[0]
    links = Links.none(num) if links is None else links
    label = _joined(num, links)
    name = _names(label, links)
    sums = _contract(_forbidden(likeness, links), label)
    _require_consistent(sums, label, links)
    size = np.bincount(label)
    first = _first(label)
    merges: list[Merge] = []
    while True:
        one, other, mean = _nearest_pairs(sums, size, name, least)
        if not len(one):
            break
        merges += [
            Merge(float(value), (int(first[a]), int(first[b])))
            for a, b, value in zip(one, other, mean, strict=True)
        ]
        target = np.arange(len(size))
        target[other] = one
        _, target = np.unique(target, return_inverse=True)
        label, sums = target[label], _contract(sums, target)
        size = np.bincount(target, weights=size).astype(np.int64)
        first = _first(label)
        joined = np.full(len(size), -1)
        np.maximum.at(joined, target, name)
        name = joined
    merges.sort(key=lambda merge: merge.likeness)
    return Grouping(_numbered(label), tuple(merges))


def between_groups(likeness: csr_array, labels: np.ndarray) -> csr_array:
    """(G, G) mean likeness of the pairs of two groups, without a diagonal."""
    sums = _contract(likeness, labels)
    size = np.bincount(labels)
    row, column = sums.coords
    return coo_array((sums.data / (size[row] * size[column]), (row, column)), shape=sums.shape).tocsr()


def _joined(num: int, links: Links) -> np.ndarray:
    """(N,) groups that are there from the start, by their links."""
    from scipy.sparse.csgraph import connected_components

    named = np.flatnonzero(links.name >= 0)
    order = named[np.argsort(links.name[named], kind="stable")]
    alike = links.name[order[1:]] == links.name[order[:-1]]
    pairs = np.concatenate([links.same, np.stack([order[:-1], order[1:]], 1)[alike]])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(num, num))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _names(label: np.ndarray, links: Links) -> np.ndarray:
    """The name of each group that has one. Raises GenreidError where one has two."""
    highest = np.full(label.max(initial=-1) + 1, -1)
    lowest = np.full(len(highest), np.iinfo(np.int64).max)
    known = links.name >= 0
    np.maximum.at(highest, label[known], links.name[known])
    np.minimum.at(lowest, label[known], links.name[known])
    if ((highest >= 0) & (lowest != highest)).any():
        raise GenreidError(
            "two images of different known persons are said to be the same; mend one of the two"
        )
    return highest


def _forbidden(likeness: csr_array, links: Links) -> coo_array:
    """The likeness, with what must not be merged far below any."""
    found, pairs = likeness.tocoo(), links.different
    row = np.concatenate([found.coords[0], pairs[:, 0], pairs[:, 1]])
    column = np.concatenate([found.coords[1], pairs[:, 1], pairs[:, 0]])
    data = np.concatenate([found.data.astype(np.float64), np.full(2 * len(pairs), _NEVER)])
    return coo_array((data, (row, column)), shape=likeness.shape)


def _require_consistent(sums: coo_array, label: np.ndarray, links: Links) -> None:
    pairs = label[links.different]
    if len(pairs) and (pairs[:, 0] == pairs[:, 1]).any():
        at = int(np.argmax(pairs[:, 0] == pairs[:, 1]))
        one, other = links.different[at]
        raise GenreidError(
            f"images {one} and {other} are said to be of two persons, and by other lines of the same one"
        )


def _contract(pairs: csr_array | coo_array, target: np.ndarray) -> coo_array:
    """Sums over the pairs of two groups, target: (N,) → group; without those within a group."""
    found = pairs.tocoo()
    row, column = target[found.coords[0]], target[found.coords[1]]
    between = row != column
    num = int(target.max(initial=-1)) + 1
    summed = coo_array((found.data[between], (row[between], column[between])), shape=(num, num))
    summed.sum_duplicates()  # sorts by column within row
    return summed.tocsr().tocoo()


def _nearest_pairs(
    sums: coo_array, size: np.ndarray, name: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups that are nearest to each other and alike enough to be merged: the lower, the other, their
    mean."""
    row, column = sums.coords
    mean = sums.data / (size[row] * size[column])
    free = (mean >= least) & ((name[row] < 0) | (name[column] < 0))
    row, column, mean = row[free], column[free], mean[free]
    # Of equal ones the lowest: then the nearest pair of all is always nearest to each other.
    order = np.lexsort((column, -mean, row))
    row, column, mean = row[order], column[order], mean[order]
    leading = np.concatenate([[True], row[1:] != row[:-1]]) if len(row) else np.empty(0, bool)
    best = np.full(len(size), -1)
    best[row[leading]] = column[leading]
    one, other, value = row[leading], column[leading], mean[leading]
    mutual = (best[other] == one) & (one < other)
    return one[mutual], other[mutual], value[mutual]


def _first(label: np.ndarray) -> np.ndarray:
    """The lowest image of each group."""
    first = np.full(label.max(initial=-1) + 1, len(label))
    np.minimum.at(first, label, np.arange(len(label)))
    return first


def _numbered(label: np.ndarray) -> np.ndarray:
    """By each group's first image."""
    order = np.argsort(_first(label), kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return number[label]
