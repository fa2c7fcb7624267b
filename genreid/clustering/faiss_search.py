"""Nearest images through faiss: exact ones by its flat index, approximate ones by its graph.

Shapes: N images, D embedding width, k neighbours, c candidates.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch

from genreid.clustering.candidates import NUM_SPARE, Candidates
from genreid.clustering.short_rows import short_rows
from genreid.clustering.similarity import product_error, squared_distance, unit_rows
from genreid.errors import GenreidError

HNSW_LINKS, HNSW_BUILT_WITH, HNSW_SEARCHED_WITH = 32, 80, 80
"""Links of an image, and images held in view while links are looked for and while neighbours are."""

HNSW_SPARE = 2
"""Candidates of `hnsw` for each one of an exact search."""

HNSW_QUERIES = 1 << 16
"""Images that `hnsw` looks for at a time."""


def search_faiss(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
    """All pairs of rows (N, D) by faiss, on its first GPU where it sees one."""
    similarity, index = largest_products(rows, rows, num_candidates)
    farthest = squared_distance(-largest_products(-rows, rows, 1)[0][:, 0]) if with_farthest else None
    return Candidates(index.astype(np.int32), similarity.min(1), product_error(rows.shape[1]), farthest)


def largest_products(queries: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest products of each query (Q, D) with rows (N, D), falling: (Q, k) float32, (Q, k) int64."""
    faiss = _import_faiss()
    found: tuple[np.ndarray, np.ndarray]
    if faiss.get_num_gpus() > 0:
        # One device: distances from several have been seen to be wrong.
        resources = faiss.StandardGpuResources()
        found = faiss.knn_gpu(resources, queries, rows, k, metric=faiss.METRIC_INNER_PRODUCT, device=0)
    else:
        found = faiss.knn(queries, rows, k, metric=faiss.METRIC_INNER_PRODUCT)
    return found


def search_hnsw(rows: np.ndarray, num_candidates: int, with_farthest: bool) -> Candidates:
    """Approximate: only the images along a walk through a graph of neighbours are looked at.

    Source: Malkov, Yashunin, TPAMI 2020. Rows are short ones (`short_rows`). Threads link the graph
    as they come, so that two runs may differ in a few neighbours.
    """
    if with_farthest:
        raise GenreidError("neighbour search 'hnsw' does not know the farthest image: set `method` to exact")
    faiss = _import_faiss()
    num, width = rows.shape
    rows = short_rows(rows)
    graph = faiss.IndexHNSWFlat(rows.shape[1], HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = HNSW_BUILT_WITH
    graph.add(rows)
    num_candidates = min(HNSW_SPARE * num_candidates, num)
    graph.hnsw.efSearch = max(HNSW_SEARCHED_WITH, num_candidates)
    found = np.concatenate(
        [
            graph.search(rows[start : start + HNSW_QUERIES], num_candidates)[1]
            for start in range(0, num, HNSW_QUERIES)
        ]
    ).astype(np.int32)
    # A walk that ends too early leaves places empty: such a row is searched among all images.
    short = (found < 0).any(1)
    found[short] = np.arange(num_candidates)
    floor = np.where(short, np.inf, -np.inf).astype(np.float32)
    return Candidates(found, floor, product_error(width), None)


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
    faiss = _import_faiss()
    spare = min(k + NUM_SPARE, len(rows))
    _, index = faiss.knn(asked, rows, spare, metric=faiss.METRIC_INNER_PRODUCT)
    # once more by one product in one order, so that equal images are equally similar
    similarity = np.einsum("qd,qcd->qc", asked, rows[index]).astype(np.float32)
    order = np.lexsort((index, -similarity), axis=1)[:, :k]
    return np.take_along_axis(index, order, 1), np.take_along_axis(similarity, order, 1)


def num_faiss_gpus() -> int:
    """How many GPUs faiss can use; the exact search runs on the first of them."""
    return int(_import_faiss().get_num_gpus())


def _import_faiss() -> ModuleType:
    try:
        import faiss
    except ImportError as missing:
        raise GenreidError(
            f"the neighbour search needs the package faiss ({missing}); install faiss-cpu or faiss-gpu"
        ) from missing
    module: ModuleType = faiss
    return module
