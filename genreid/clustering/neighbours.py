"""k nearest neighbours by cosine similarity, from any of several searches: exact ones and an approximate one.

A search proposes a few more candidates a row than are asked for, from a product whose rounding depends
on the library, the block and the device. The candidates' similarities are then computed once more, all
by one kernel, so that equal images are exactly equally similar and every search gives the same answer.
A row whose last place is not decided beyond the search's rounding is searched again over everything
that may belong there. So a cheaper, less precise product only needs a larger `error`: the answer stays exact.

Shapes: N images, D embedding width, k neighbours, c candidates, M pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch

from genreid.clustering.exhaustive import MAX_PAIRS, NUM_SPARE, Candidates, search_torch
from genreid.clustering.pruning import SAMPLE_ROWS, principal_directions
from genreid.clustering.similarity import (
    dot_pairs,
    full_precision,
    pair_similarity,
    product_error,
    squared_distance,
    unit_rows,
)
from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError

IVF_WIDTH = 128
"""Directions of the rows that `ivf` looks at; the rest comes in when its candidates are ordered."""

IVF_PROBES = 32
"""Lists that `ivf` looks through for an image, of 4·√N."""

IVF_SPARE = 2
"""Candidates of `ivf` for each one of an exact search."""

IVF_QUERIES = 1 << 16
"""Images that `ivf` looks for at a time."""


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


Search = Callable[[torch.Tensor, int, bool], Candidates]


def nearest_neighbours(
    features: np.ndarray | torch.Tensor, k: int, *, method: str, with_farthest: bool = False
) -> Neighbours:
    """The k nearest images of each image among all N.

    features: (N, D) float32 rows of length 1 within 1 %; on any device, and `torch` searches there.
    k: columns of the answer including the image itself; at most N are given.
    method: `torch` (see `exhaustive` for its ways to save work) and `faiss`
        (flat index, on a GPU when faiss sees one) are exact and give the same answer. `ivf`
        (faiss, inverted lists) is approximate: for sets so large that every pair is too many.
    with_farthest: also give the largest squared distance from each image to any other.

    Raises GenreidError for an unknown method and for features that are not finite unit rows.
    """
    if method not in SEARCHES:
        raise GenreidError(
            f"neighbour search {method!r} is unknown: expected one of {', '.join(sorted(SEARCHES))}; "
            "set the key `method` of the clustering or re-ranking section to one of them"
        )
    if k < 1:
        raise GenreidError(f"{k} neighbours asked for: expected at least 1; raise k1 in the params")
    rows = unit_rows(features)
    on_device = torch.as_tensor(features).detach().float()
    k = min(k, len(rows))
    candidates = SEARCHES[method](on_device, min(k + NUM_SPARE, len(rows)), with_farthest)
    index, similarity, decided = _refine(rows, candidates, k)
    _search_again(on_device, rows, np.flatnonzero(~decided), candidates.error, index, similarity)
    return Neighbours(index, similarity, candidates.farthest)


def _refine(rows: np.ndarray, candidates: Candidates, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order the candidates by their one true similarity: index (N, k), similarity (N, k), decided (N,)."""
    num, width = candidates.index.shape
    index = np.empty((num, k), np.int32)
    similarity = np.empty((num, k), np.float32)

    def work(start: int, stop: int) -> None:
        chosen = candidates.index[start:stop]
        own = np.arange(start, stop)
        # Longer rows beside it can crowd an image out of its own candidates: it takes the last one's place.
        chosen[:, -1] = np.where((chosen == own[:, None]).any(1), chosen[:, -1], own)
        values = np.empty(chosen.shape, np.float32)
        dot_pairs(rows, np.repeat(own, width), chosen.reshape(-1), values.reshape(-1))
        falling = np.where(chosen == own[:, None], -np.inf, -values)
        order = np.lexsort((chosen, falling), axis=1)[:, :k]
        index[start:stop] = np.take_along_axis(chosen, order, 1)
        similarity[start:stop] = np.take_along_axis(values, order, 1)

    map_row_chunks(work, num)
    decided = similarity[:, -1] > candidates.floor + candidates.error
    return index, similarity, decided | (width == num)


def _search_again(
    features: torch.Tensor,
    rows: np.ndarray,
    undecided: np.ndarray,
    error: float,
    index: np.ndarray,
    similarity: np.ndarray,
) -> None:
    """Fill `undecided` rows of `index` and `similarity` from all images that may belong there."""
    k = index.shape[1]
    step = max(1, MAX_PAIRS // len(rows))
    for start in range(0, len(undecided), step):
        own = undecided[start : start + step]
        with full_precision(features.device):
            roughly = (features[torch.as_tensor(own)] @ features.T).float().cpu().numpy()
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


def _search_faiss(features: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
    faiss = _import_faiss("faiss")
    rows = features.cpu().contiguous().numpy()

    def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if faiss.get_num_gpus() > 0:
            # One device: distances from several have been seen to be wrong.
            resources = faiss.StandardGpuResources()
            return faiss.knn_gpu(resources, queries, rows, k, metric=faiss.METRIC_INNER_PRODUCT, device=0)
        return faiss.knn(queries, rows, k, metric=faiss.METRIC_INNER_PRODUCT)

    similarity, index = search(rows, num_candidates)
    farthest = squared_distance(-search(-rows, 1)[0][:, 0]) if with_farthest else None
    return Candidates(index.astype(np.int32), similarity.min(1), product_error(rows.shape[1]), farthest)


def _search_ivf(features: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
    """Approximate: only the images of the nearest lists (Jégou et al., TPAMI 2011) are looked at.

    Wide rows are looked for by their heads (`pruning`); what is found is ordered by its true similarity.
    """
    if with_farthest:
        raise GenreidError("neighbour search 'ivf' does not know the farthest image: set `method` to torch")
    faiss = _import_faiss("ivf")
    num, width = features.shape
    x = features.cpu()
    if width > IVF_WIDTH:
        with full_precision(x.device):
            x = x @ principal_directions(x[:: -(-num // SAMPLE_ROWS)], IVF_WIDTH)
    rows = x.contiguous().numpy()
    num_lists = max(1, min(int(4 * num**0.5), num // 40))
    index = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], num_lists, faiss.METRIC_INNER_PRODUCT
    )
    index.train(rows)
    index.add(rows)
    index.nprobe = IVF_PROBES
    num_candidates = min(IVF_SPARE * num_candidates, num)
    found = np.concatenate(
        [
            index.search(rows[start : start + IVF_QUERIES], num_candidates)[1]
            for start in range(0, num, IVF_QUERIES)
        ]
    ).astype(np.int32)
    # Lists that hold too few images leave places empty: such a row is searched among all images.
    short = (found < 0).any(1)
    found[short] = np.arange(num_candidates)
    floor = np.where(short, np.inf, -np.inf).astype(np.float32)
    return Candidates(found, floor, product_error(width), None)


def _import_faiss(method: str) -> ModuleType:
    try:
        import faiss
    except ImportError as missing:
        raise GenreidError(
            f"neighbour search {method!r} needs the package faiss ({missing}); install faiss-cpu or "
            "faiss-gpu, or set the key `method` to torch"
        ) from missing
    module: ModuleType = faiss
    return module


SEARCHES: dict[str, Search] = {"faiss": _search_faiss, "ivf": _search_ivf, "torch": search_torch}


def nearest_in_gallery(
    queries: np.ndarray | torch.Tensor, gallery: np.ndarray | torch.Tensor, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k images of a gallery nearest to each query by cosine similarity, through faiss's flat index.

    queries (Q, D), gallery (N, D): float32 unit rows. Returns index (Q, k) int64 and similarity (Q, k)
    float32, falling; equal similarities in the order of the index. A gallery of fewer than k gives all.
    Raises GenreidError for rows that are not finite unit rows or of different widths.
    """
    asked, rows = unit_rows(queries, "queries"), unit_rows(gallery, "gallery")
    if asked.shape[1] != rows.shape[1]:
        raise GenreidError(
            f"queries are {asked.shape[1]} wide and the gallery {rows.shape[1]}: embed both by one encoder"
        )
    if k < 1:
        raise GenreidError(f"{k} neighbours asked for: expected at least 1")
    k = min(k, len(rows))
    faiss = _import_faiss("faiss")
    spare = min(k + NUM_SPARE, len(rows))
    _, index = faiss.knn(asked, rows, spare, metric=faiss.METRIC_INNER_PRODUCT)
    # once more by one product in one order, so that equal images are equally similar
    similarity = np.einsum("qd,qcd->qc", asked, rows[index]).astype(np.float32)
    order = np.lexsort((index, -similarity), axis=1)[:, :k]
    return np.take_along_axis(index, order, 1), np.take_along_axis(similarity, order, 1)


def num_faiss_gpus() -> int:
    """How many GPUs faiss can use; `nearest_neighbours` by `faiss` searches on the first of them."""
    return int(_import_faiss("faiss").get_num_gpus())
