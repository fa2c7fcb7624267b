"""Whose images are whose: groups of a gallery's images, how sure they are, and what to ask a person about
them.

Beyond the paper. Pairs that are less alike than a cut (`genreid.evaluation.matches`) are never evidence; of
the others, how far their neighbours are the same (k-reciprocal Jaccard) is averaged over whole groups. The
cut keeps strangers apart where a folder holds few images of each person, and k neighbours are mostly
strangers; the neighbours tell more than the cosine where there are many.

N images, D embedding width, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.sparse import coo_array, csr_array

from genreid.clustering.agglomeration import Grouping, Links, average_linkage, between_groups
from genreid.clustering.jaccard import jaccard_graph
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded.by_workers import Workers, pairs_by_workers
from genreid.clustering.sharded.shelf import Shelf
from genreid.clustering.similarity import pair_similarity, unit_rows
from genreid.progress import Progress

LEAST = 0.15
"""Mean Jaccard likeness of two groups that are merged."""
_ALL = 0.999
"""Jaccard distance of pairs that share next to nothing; a distance has to be below 1."""


@dataclass(frozen=True)
class Likeness:
    """Of the pairs that share neighbours: positions (E,), Jaccard likeness (E,) 0 to 1, cosine (E,); each
    pair twice, as (i, j) and (j, i)."""

    num: int
    row: np.ndarray
    column: np.ndarray
    jaccard: np.ndarray
    cosine: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, settings: PseudoLabelSettings) -> Likeness:
        """rows: (N, D) float32 unit rows. settings: k1, k2 and the search; eps and min_samples play no
        part."""
        num = len(rows)
        k1, k2 = min(settings.k1, num), min(settings.k2, num)
        neighbours = nearest_neighbours(rows, k1, method=settings.method)
        graph = jaccard_graph(unit_rows(rows), neighbours, k1=k1, k2=k2, eps=_ALL).tocoo()
        row, column = (np.asarray(one, np.int64) for one in graph.coords)
        cosine = pair_similarity(rows, row, column)
        return cls(num, row, column, 1 - graph.data.astype(np.float64), cosine)

    @classmethod
    def by_workers(
        cls,
        workers: Workers,
        shelf: Shelf,
        settings: PseudoLabelSettings,
        least: float,
        progress: Progress | None = None,
    ) -> Likeness:
        """The same of the rows of a shelf, without the pairs whose cosine is below `least`."""
        num = shelf.num_rows
        limited = replace(settings, k1=min(settings.k1, num), k2=min(settings.k2, num))
        pairs = pairs_by_workers(workers, shelf, limited, _ALL, least_cosine=least, progress=progress)
        row = np.concatenate([pairs.row, pairs.column]).astype(np.int64)
        column = np.concatenate([pairs.column, pairs.row]).astype(np.int64)
        order = np.lexsort((column, row))
        jaccard, cosine = (np.tile(one, 2)[order] for one in (pairs.distance, pairs.cosine))
        return cls(num, row[order], column[order], 1 - jaccard.astype(np.float64), cosine)

    def above(self, cut: float) -> csr_array:
        """(N, N) Jaccard likeness of the pairs whose cosine is at least `cut`."""
        kept = self.cosine >= cut
        places = (self.row[kept], self.column[kept])
        return coo_array((self.jaccard[kept], places), shape=(self.num, self.num)).tocsr()


def group(likeness: Likeness, cut: float, links: Links | None = None) -> Grouping:
    """Groups of the images, those of `links` obeyed. Raises GenreidError where they contradict each other."""
    return average_linkage(likeness.above(cut), LEAST, links)


def confidences(likeness: csr_array, labels: np.ndarray) -> np.ndarray:
    """(N,) 0 to 1: how much more an image is like its own group than like the nearest other one.

    a / (a + b), a the mean likeness to the others of its group, b that to the images of the other group that
    it is most like. An image alone has nothing but b: 1 − b.
    """
    num, size = len(labels), np.bincount(labels)
    found = likeness.tocoo()
    image, other = found.coords[0], labels[found.coords[1]]
    sums = coo_array((found.data, (image, other)), shape=(num, len(size)))
    sums.sum_duplicates()
    image, other = sums.coords
    is_own = labels[image] == other
    mean = sums.data / np.where(is_own, np.maximum(size[other] - 1, 1), size[other])
    own, nearest = np.zeros(num), np.zeros(num)
    own[image[is_own]] = mean[is_own]
    np.maximum.at(nearest, image[~is_own], mean[~is_own])
    alone = size[labels] == 1
    both = own + nearest
    share = np.divide(own, both, out=np.full(num, 0.5), where=both > 0)
    return np.where(alone, 1 - np.minimum(nearest, 1), share)


@dataclass(frozen=True)
class Question:
    """Whether two images are of one person: they are in one group, or in two that nearly were one.

    one, other: positions. likeness: mean Jaccard likeness of the two (parts of) groups; cosine: of the
    images.
    """

    kind: Literal["merged", "apart"]
    one: int
    other: int
    likeness: float
    cosine: float


def questions(
    likeness: Likeness, cut: float, grouping: Grouping, rows: np.ndarray, links: Links, most: int
) -> list[Question]:
    """What to ask a person, the least certain first: those merges that were nearest to not being made, and
    those pairs of groups that were nearest to being merged. What `links` answer is not asked again.
    """

    def ask(kind: Literal["merged", "apart"], pair: tuple[int, int], value: float) -> Question:
        return Question(kind, *pair, float(value), float(rows[pair[0]] @ rows[pair[1]]))

    found = [ask("merged", _ordered(merge.groups), merge.likeness) for merge in grouping.merges[:most]]
    above = likeness.above(cut)
    between = between_groups(above, grouping.labels).tocoo()
    upper = between.coords[0] < between.coords[1]
    groups, value = np.stack(between.coords, 1)[upper], between.data[upper]
    nearest = np.argsort(-value, kind="stable")[:most]
    bridges = _bridges(above, grouping.labels, groups[nearest])
    found += [ask("apart", pair, value[at]) for pair, at in zip(bridges, nearest, strict=True)]
    answered = {_ordered(pair) for pair in [*links.same.tolist(), *links.different.tolist()]}
    asked = [question for question in found if (question.one, question.other) not in answered]
    return sorted(asked, key=lambda question: abs(question.likeness - LEAST))[:most]


def _bridges(likeness: csr_array, labels: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]]:
    """Of each pair of groups (Q, 2), the lower first, the two images that are most alike."""
    found = likeness.tocoo()
    row, column = found.coords
    one, other = labels[row], labels[column]
    num = int(labels.max(initial=0)) + 1
    wanted = groups[:, 0].astype(np.int64) * num + groups[:, 1]
    key = one * num + other
    at = np.flatnonzero(np.isin(key, wanted))
    at = at[np.lexsort((-found.data[at], key[at]))]
    _, leading = np.unique(key[at], return_index=True)
    best = {int(key[place]): _ordered((int(row[place]), int(column[place]))) for place in at[leading]}
    return [best[int(one)] for one in wanted]


def _ordered(pair: tuple[int, int] | list[int]) -> tuple[int, int]:
    return (min(pair), max(pair))
