"""Unit rows and their similarities: the one kernel that has the last word on how alike two images are.

Shapes: N images, D embedding width, M pairs, c candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit

from genreid.clustering.threads import map_row_chunks
from genreid.errors import GenreidError


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


def candidate_similarity(rows: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(N, c) float32: what `pair_similarity` gives for each image and its candidates `index` (N, c).

    Reading the rows is what takes the time: of two images that are candidates of one another the earlier has
    the product made, and the later takes it over.
    """
    result = np.empty(index.shape, np.float32)

    def multiply(start: int, stop: int) -> None:
        row, place = np.nonzero(_to_multiply(index, start, stop))
        values = np.empty(len(row), np.float32)
        _dot_pairs(rows, row + start, index[start:stop][row, place], values)
        result[start:stop][row, place] = values

    map_row_chunks(multiply, len(index))
    map_row_chunks(lambda start, stop: _take_over(index, result, start, stop), len(index))
    return result


@njit(cache=True, nogil=True)
def _to_multiply(index: np.ndarray, start: int, stop: int) -> np.ndarray:
    """(stop − start, c) bool: which pairs no earlier row has."""
    result = np.empty((stop - start, index.shape[1]), np.bool_)
    for i in range(start, stop):
        for p in range(index.shape[1]):
            j = index[i, p]
            result[i - start, p] = j >= i or _place_of(i, index[j]) < 0
    return result


@njit(cache=True, nogil=True)
def _take_over(index: np.ndarray, result: np.ndarray, start: int, stop: int) -> None:
    for i in range(start, stop):
        for p in range(index.shape[1]):
            j = index[i, p]
            if j < i:
                place = _place_of(i, index[j])
                if place >= 0:
                    result[i, p] = result[j, place]


@njit(cache=True, nogil=True)
def _place_of(image: int, candidates: np.ndarray) -> int:
    """Where `image` stands among the candidates (c,), −1 if it does not."""
    place = -1
    for p in range(candidates.shape[0]):
        if candidates[p] == image:
            place = p
    return place


def as_factor(rows: torch.Tensor) -> torch.Tensor:
    """Rows (N, D) as `products` takes its second factor; made once where many products follow.

    On a CPU a copy for oneDNN, which multiplies float32 as fast as MKL does, on processors of AMD twice so.
    """
    if rows.device.type == "cpu" and torch.backends.mkldnn.is_available():
        return rows.contiguous().to_mkldnn()
    return rows


def products(rows: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """(R, N) float32 products of rows (R, D) with those that `as_factor` has prepared (N, D)."""
    if len(rows) == 0:
        return rows.new_empty(0, len(factor))
    if not factor.is_mkldnn:
        return rows @ factor.T
    product: torch.Tensor = F.linear(rows.contiguous().to_mkldnn(), factor).to_dense()
    return product


def product_error(width: int) -> float:
    """How far two float32 dot products of unit rows may differ.

    Rounding errors of `width` additions of partial sums up to 1 add up like a random walk, about
    2⁻²⁴·√width; eight times that is allowed for.
    """
    return 8 * 2.0**-24 * float(np.sqrt(width))


@contextmanager
def full_precision() -> Iterator[None]:
    """float32 products on a CPU that are float32: no TF32, no bf16, whatever the caller trains with."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
