"""k nearest neighbours by cosine similarity, from any of several searches, exact ones and approximate ones.

A search proposes a few more candidates a row than are asked for, from a product whose rounding depends
on the library, the block and the device. The candidates' similarities are then computed once more, all
by one kernel, so that equal images are exactly equally similar and every search gives the same answer.
A row whose last place is not decided beyond the search's rounding is searched again over everything
that may belong there. So a cheaper, less precise product only needs a larger `error`: the answer stays exact.

Shapes: N images, D embedding width, k neighbours, c candidates, M pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from genreid.clustering.candidates import MAX_PAIRS, NUM_SPARE, Candidates
from genreid.clustering.searches import SEARCHES
from genreid.clustering.settings import Method
from genreid.clustering.similarity import (
    candidate_similarity,
    full_precision,
    pair_similarity,
    product_error,
    squared_distance,
    unit_rows,
)
from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of every image, itself first, then by falling similarity.

    index: (N, k) int32. Equal similarities come in the order of their index, lower first, except that
        an image always stands in its own column 0, also among exact copies of it.
    similarity: (N, k) float32, cosine.
    farthest: (N,) float32, the largest squared distance to any image; None unless asked for.
    """

    index: np.ndarray
    similarity: np.ndarray
    farthest: np.ndarray | None = None

    @property
    def distance(self) -> np.ndarray:
        """(N, k) float32: the squared Euclidean distance of unit rows, 2 − 2·cos, not below 0."""
        return squared_distance(self.similarity)


def nearest_neighbours(
    features: np.ndarray | torch.Tensor, k: int, *, method: Method, with_farthest: bool = False
) -> Neighbours:
    """The k nearest images of each image among all N.

    features: (N, D) float32 rows of length 1 within 1 %.
    k: columns of the answer including the image itself; at most N are given.
    method: `exact`, by whichever way is quickest on this machine (`searches`); or, for sets whose exact
        search takes too long, the approximate `pca_bound` (all pairs of rows shortened to 256 principal
        directions) and `hnsw` (a graph of those that is walked along, which two runs may link differently).
    with_farthest: also give the largest squared distance from each image to any other; `exact` alone can.

    Raises GenreidError for features that are not finite unit rows.
    """
    if k < 1:
        raise GenreidError(f"{k} neighbours asked for: expected at least 1; raise k1 in the params")
    rows = unit_rows(features)
    k = min(k, len(rows))
    candidates = SEARCHES[method](rows, min(k + NUM_SPARE, len(rows)), with_farthest)
    index, similarity, decided = _refine(rows, candidates, k)
    _search_again(rows, np.flatnonzero(~decided), index, similarity)
    return Neighbours(index, similarity, candidates.farthest)


def _refine(rows: np.ndarray, candidates: Candidates, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order the candidates by their one true similarity: index (N, k), similarity (N, k), decided (N,)."""
    chosen = np.ascontiguousarray(candidates.index)
    num, width = chosen.shape
    index = np.empty((num, k), np.int32)
    similarity = np.empty((num, k), np.float32)

    def keep_own(start: int, stop: int) -> None:
        with_own_image(chosen[start:stop], np.arange(start, stop))

    def order(start: int, stop: int) -> None:
        rows, own = slice(start, stop), np.arange(start, stop)
        index[rows], similarity[rows] = candidates_in_order(chosen[rows], values[rows], own, k)

    map_row_chunks(keep_own, num)
    values = candidate_similarity(rows, chosen)
    map_row_chunks(order, num)
    decided = similarity[:, -1] > candidates.floor + candidates.error
    return index, similarity, decided | (width == num)


def with_own_image(chosen: np.ndarray, own: np.ndarray) -> None:
    """Put `own` (R,) among its candidates (R, c), the least similar last, where it is not.

    Longer rows beside it can crowd an image out of its own candidates: it takes the last one's place.
    """
    chosen[:, -1] = np.where((chosen == own[:, None]).any(1), chosen[:, -1], own)


def candidates_in_order(
    chosen: np.ndarray, similarity: np.ndarray, own: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of the candidates (R, c) of images `own` (R,) by `similarity` (R, c): both (R, k), in the
    order of `Neighbours`."""
    falling = np.where(chosen == own[:, None], -np.inf, -similarity)
    best = np.lexsort((chosen, falling), axis=1)[:, :k]
    return np.take_along_axis(chosen, best, 1), np.take_along_axis(similarity, best, 1)


def _search_again(rows: np.ndarray, undecided: np.ndarray, index: np.ndarray, similarity: np.ndarray) -> None:
    """Fill `undecided` rows of `index` and `similarity` from all images that may belong there."""
    error = product_error(rows.shape[1])
    k, features = index.shape[1], torch.from_numpy(rows)
    step = max(1, MAX_PAIRS // len(rows))
    for start in range(0, len(undecided), step):
        own = undecided[start : start + step]
        with full_precision():
            roughly = (features[own] @ features.T).numpy()
        # An image belongs to its own neighbours, whatever its length.
        roughly[np.arange(len(own)), own] = np.inf
        # The k-th of the candidates is no better than the true k-th, so nothing below it can belong.
        place, right = np.nonzero(roughly >= (similarity[own, -1] - error)[:, None])
        left = own[place]
        values = pair_similarity(rows, left, right)
        order = np.lexsort((right, np.where(left == right, -np.inf, -values), place))
        first = np.searchsorted(place, np.arange(len(own)))
        best = order[first[:, None] + np.arange(k)]
        index[own] = right[best]
        similarity[own] = values[best]
