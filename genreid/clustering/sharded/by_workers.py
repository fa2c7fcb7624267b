"""Pseudo-identities and the pairs that they are made of, by workers that see one folder.

Nothing here knows who the workers are: threads, processes, or nodes of a cluster. Each step is called once
for every piece, and is over when all pieces are done; a piece whose file is there is not made again, so that
a run that was ended goes on in the same folder.

Shapes: N images, D embedding width, P pieces, E pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy.sparse import coo_array, csr_array

from genreid.clustering.pseudo_labels import PseudoLabels, dbscan
from genreid.clustering.settings import PseudoLabelSettings
from genreid.clustering.sharded import graph, search
from genreid.clustering.sharded.shelf import Shelf
from genreid.errors import GenreidError
from genreid.progress import Progress, Silent

T = TypeVar("T")

MOST_ROWS = 1 << 16
"""Rows of a piece, unless a caller says otherwise."""


class Workers(Protocol):
    """Who makes what a function returns.

    num_calls: how many threads should ask, so that every worker has always something to do.
    """

    @property
    def num_calls(self) -> int: ...

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function(*arguments)` returns or raises in one of them; any thread may ask."""
        ...


@dataclass(frozen=True)
class Pairs:
    """Pairs of N images, each once, by row and then column: row < column (E,) int32, Jaccard distance (E,)
    float32 and, where it was asked for, cosine (E,) float32."""

    num: int
    row: np.ndarray
    column: np.ndarray
    distance: np.ndarray
    cosine: np.ndarray

    def graph(self) -> csr_array:
        """(N, N) what `genreid.clustering.jaccard.jaccard_graph` gives."""
        both = (np.concatenate((self.row, self.column)), np.concatenate((self.column, self.row)))
        found = coo_array((np.concatenate((self.distance, self.distance)), both), shape=(self.num, self.num))
        graph = found.tocsr()
        graph.sort_indices()
        return graph


def begin() -> None:
    """What a worker calls first: to have imported this module is enough."""


def even_bounds(num: int, num_workers: int, most: int = MOST_ROWS) -> list[int]:
    """The first row of each piece, and N.

    Pieces are nearly of one size, at most `most` rows, and as many for each worker if there are enough rows.
    """
    num_pieces = min(num, num_workers * -(-num // (most * num_workers)))
    return [num * piece // num_pieces for piece in range(num_pieces + 1)]


def cluster_by_workers(
    workers: Workers, shelf: Shelf, settings: PseudoLabelSettings, *, progress: Progress | None = None
) -> PseudoLabels:
    """What `genreid.clustering.pseudo_labels.cluster` gives for the rows of the shelf."""
    pairs = pairs_by_workers(workers, shelf, settings, settings.eps, progress=progress)
    return dbscan(pairs.graph(), settings.min_samples)


def pairs_by_workers(
    workers: Workers,
    shelf: Shelf,
    settings: PseudoLabelSettings,
    eps: float,
    *,
    least_cosine: float | None = None,
    progress: Progress | None = None,
) -> Pairs:
    """The pairs whose Jaccard distance is at most `eps`; see `genreid.clustering.jaccard.jaccard_graph`.

    least_cosine: work out the cosine of each pair too, and leave those out in which it is less.
    Raises GenreidError for a search that is not exact: only that one is shared out.
    """
    if settings.method != "exact":
        raise GenreidError(
            f"neighbour search '{settings.method}' is one machine's: workers share out `exact` alone; set "
            "`method` to exact"
        )
    k1, k2 = settings.k1, settings.k2
    shown = progress or Silent()
    rounding = _rounding(workers, shelf, shown)
    steps: list[tuple[str, str, Callable[..., None], tuple[Any, ...]]] = [
        ("neighbours", search.NEIGHBOURS, search.find_neighbours, (k1, rounding)),
        ("reciprocal neighbours", graph.RECIPROCAL, graph.find_reciprocal, (k1,)),
        ("expanded neighbours", graph.EXPANDED, graph.find_weights, ()),
        ("means of neighbours", graph.MEAN, graph.average_weights, (k2,)),
        ("pairs", graph.PAIRS, graph.find_pairs, (eps, least_cosine)),
    ]
    pieces = range(shelf.num_pieces)
    for told, name, make, arguments in steps:
        left = [piece for piece in pieces if not shelf.has(name, piece)]
        made = _of_pieces(workers, left, partial(_call, workers, make, shelf, arguments))
        for _ in shown.track(made, told, len(left)):
            pass
    found = [shelf.get(graph.PAIRS, piece, "row", "column", "distance", "cosine") for piece in pieces]
    return Pairs(shelf.num_rows, *(np.concatenate(part) for part in zip(*found, strict=True)))


def _rounding(workers: Workers, shelf: Shelf, shown: Progress) -> search.Rounding:
    """One that fits the rows of all pieces."""
    step = search.first_step(shelf)
    while True:
        look = partial(_call, workers, search.look_over, shelf, (step,))
        pieces = range(shelf.num_pieces)
        found = list(shown.track(_of_pieces(workers, pieces, look), "looking over", len(pieces)))
        highest = np.max(found, axis=0)
        rounding = search.Rounding.of(highest, step, shelf.num_rows, shelf.width)
        if rounding is not None:
            return rounding
        step = search.longer_step(step, highest)


def _call(workers: Workers, make: Callable[..., T], shelf: Shelf, arguments: Sequence[Any], piece: int) -> T:
    return workers.call(make, shelf, piece, *arguments)


def _of_pieces(workers: Workers, pieces: Sequence[int], make: Callable[[int], T]) -> Iterator[T]:
    """What `make` returns for each piece, in order; an error stops the pieces that have not begun."""
    with ThreadPoolExecutor(workers.num_calls) as threads:
        try:
            yield from threads.map(make, pieces)
        finally:
            threads.shutdown(cancel_futures=True)
