"""Exact k nearest neighbours by cosine similarity, from any of several searches.

A search proposes a few more candidates a row than are asked for, from a product whose rounding depends
on the library, the block and the device. The candidates' similarities are then computed once more, all
by one kernel, so that equal images are exactly equally similar and every search gives the same answer.
A row whose last place is not decided beyond the search's rounding is searched again over everything
that may belong there. A cheaper, less precise product (bf16, int8) is therefore one more entry in
`SEARCHES` with a larger `error`: the answer stays exact.

Shapes: N images, D embedding width, k neighbours, c candidates, M pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError

NUM_SPARE = 8
"""Candidates beyond k, so that rounding rarely leaves a row undecided."""

TILE_ROWS = 2048
"""Rows and columns of one block of the similarity matrix (16 MB)."""

MAX_PAIRS = 1 << 22
"""Similarities held at a time while undecided rows are searched again."""


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


@dataclass(frozen=True)
class Candidates:
    """What a search proposes: index (N, c), and `floor` (N,), which no other image's similarity exceeds.

    `error` bounds the difference between the search's similarities and the true ones.
    """

    index: np.ndarray
    floor: np.ndarray
    error: float
    farthest: np.ndarray | None


Search = Callable[[torch.Tensor, int, bool], Candidates]


def nearest_neighbours(
    features: np.ndarray | torch.Tensor, k: int, *, method: str, with_farthest: bool = False
) -> Neighbours:
    """The k nearest images of each image among all N, exactly.

    features: (N, D) float32 rows of length 1 within 1 %; on any device, and `torch` searches there.
    k: columns of the answer including the image itself; at most N are given.
    method: `faiss` (flat index, on a GPU when faiss sees one) or `torch` (blocks of matrix product).
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


def unit_rows(features: np.ndarray | torch.Tensor, name: str = "features") -> np.ndarray:
    """The features as a contiguous (N, D) float32 array in main memory, checked to be finite unit rows."""
    rows = torch.as_tensor(features).detach().to("cpu", torch.float32).contiguous().numpy()
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] == 0:
        raise GenreidError(f"{name} have shape {rows.shape}: expected (N, D), N > 0; embed some images")
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    bad = np.flatnonzero(~(np.abs(length - 1) < 1e-2))
    if bad.size:
        raise GenreidError(
            f"row {bad[0]} of {name} has length {length[bad[0]]:.4g} ({bad.size} such rows): expected unit "
            "rows; normalise the embeddings, and look for a diverged encoder if they are not finite"
        )
    return rows


def squared_distance(similarity: np.ndarray) -> np.ndarray:
    """2 − 2·cos in the dtype of `similarity`, not below 0: the squared Euclidean distance of unit rows."""
    return np.maximum(2 - 2 * similarity, 0)


def pair_similarity(rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(M,) float32: the similarity of image left[m] and image right[m], for unit rows (N, D).

    One kernel sums in one order whatever the pair, so the result is symmetric and equal for equal images.
    """
    result = np.empty(len(left), np.float32)

    def work(start: int, stop: int) -> None:
        _dot_pairs(rows, left[start:stop], right[start:stop], result[start:stop])

    map_row_chunks(work, len(left))
    return result


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot_pairs(rows: np.ndarray, left: np.ndarray, right: np.ndarray, result: np.ndarray) -> None:
    for m in range(left.shape[0]):
        a = rows[left[m]]
        b = rows[right[m]]
        total = np.float32(0)
        for d in range(a.shape[0]):
            total += a[d] * b[d]
        result[m] = total


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
        _dot_pairs(rows, np.repeat(own, width), chosen.reshape(-1), values.reshape(-1))
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
        with _full_precision(features):
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
    try:
        import faiss
    except ImportError as missing:
        raise GenreidError(
            f"neighbour search 'faiss' needs the package faiss ({missing}); install faiss-cpu or faiss-gpu, "
            "or set the key `method` to torch"
        ) from missing
    rows = features.cpu().contiguous().numpy()

    def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if faiss.get_num_gpus() > 0:
            # One device: distances from several have been seen to be wrong.
            resources = faiss.StandardGpuResources()
            return faiss.knn_gpu(resources, queries, rows, k, metric=faiss.METRIC_INNER_PRODUCT, device=0)
        return faiss.knn(queries, rows, k, metric=faiss.METRIC_INNER_PRODUCT)

    similarity, index = search(rows, num_candidates)
    farthest = squared_distance(-search(-rows, 1)[0][:, 0]) if with_farthest else None
    return Candidates(index.astype(np.int32), similarity.min(1), _product_error(rows.shape[1]), farthest)


def _search_torch(features: torch.Tensor, num_candidates: int, with_farthest: bool) -> Candidates:
    """Blocks of the upper triangle of the similarity matrix; each serves its rows and its columns."""
    x = features
    num = len(x)
    best = x.new_full((num, num_candidates), -torch.inf)
    index = torch.zeros((num, num_candidates), dtype=torch.int32, device=x.device)
    lowest = x.new_full((num,), torch.inf)

    def offer(block: torch.Tensor, row: int, column: int) -> None:
        mine = slice(row, row + len(block))
        top = block.topk(min(num_candidates, block.shape[1]), dim=1)
        values = torch.cat((best[mine], top.values), 1)
        columns = torch.cat((index[mine], (top.indices + column).int()), 1)
        best[mine], kept = values.topk(num_candidates, dim=1)
        index[mine] = columns.gather(1, kept)
        if with_farthest:
            lowest[mine] = torch.minimum(lowest[mine], block.amin(1))

    with _full_precision(x):
        for row, column, block in _upper_blocks(x):
            offer(block, row, column)
            if column > row:
                offer(block.T.contiguous(), column, row)
    return Candidates(
        index.cpu().numpy(),
        best[:, -1].cpu().numpy(),
        _product_error(x.shape[1]),
        squared_distance(lowest.cpu().numpy()) if with_farthest else None,
    )


def _upper_blocks(x: torch.Tensor) -> Iterator[tuple[int, int, torch.Tensor]]:
    for row in range(0, len(x), TILE_ROWS):
        for column in range(row, len(x), TILE_ROWS):
            yield row, column, x[row : row + TILE_ROWS] @ x[column : column + TILE_ROWS].T


SEARCHES: dict[str, Search] = {"faiss": _search_faiss, "torch": _search_torch}


def _product_error(width: int) -> float:
    """How far two float32 dot products of unit rows may differ.

    Rounding errors of `width` additions of partial sums up to 1 add up like a random walk, about
    2⁻²⁴·√width; eight times that is allowed for.
    """
    return 8 * 2.0**-24 * float(np.sqrt(width))


@contextmanager
def _full_precision(features: torch.Tensor) -> Iterator[None]:
    """float32 products that are float32: no TF32, no bf16, whatever the caller trains with."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
