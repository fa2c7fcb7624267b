"""Where the time of a re-ranking goes, and what its products cost: `python -m benchmarks.parts`.

Each part by itself, the quickest of a few runs, at the size of Market-1501. None is a row of the table:
they are for the text of docs/performance.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.inputs import people
from benchmarks.retrieval import MARKET, RERANKING
from genreid.clustering.blocks import BestOfRows, upper_blocks
from genreid.clustering.dithered import dithered_rows
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.similarity import as_factor, products
from genreid.evaluation.reranking import rerank
from genreid.evaluation.settings import RerankingSettings

RUNS = 3
PLACES = 48


def seconds(work: Callable[[], Any]) -> float:
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def parts() -> dict[str, float]:
    """Name of each part → seconds."""
    num_queries, num_gallery = MARKET
    scene = people(num_queries + num_gallery, 2048).features
    queries, gallery = scene[:num_queries], scene[num_queries:]
    shorter, _, _ = dithered_rows(scene.numpy())
    settings = RerankingSettings(**RERANKING)
    k = settings.k1 + 1
    rerank(queries[:99], gallery[:99], settings)[:]  # compiles
    distances = rerank(queries, gallery, settings)
    factor = as_factor(gallery)
    return {
        "re-ranking, whole": seconds(lambda: rerank(queries, gallery, settings)[:]),
        "queries and gallery put together": seconds(lambda: torch.cat((queries, gallery))),
        "rows rounded": seconds(lambda: dithered_rows(scene.numpy())),
        "rounded products of all pairs": seconds(lambda: list(map(len, upper_blocks(shorter)))),
        "neighbours with the farthest, whole": seconds(
            lambda: nearest_neighbours(scene, k, method="exact", with_farthest=True)
        ),
        "distances, whole": seconds(lambda: distances[:]),
        "float32 products, as torch multiplies": seconds(lambda: queries @ gallery.T),
        "float32 products, oneDNN": seconds(lambda: products(queries, factor)),
        "a block dismissed, one thread": seconds(dismissed_block(shorter)),
    }


def dismissed_block(rows: torch.Tensor) -> Callable[[], None]:
    """A block of 4 million rounded products of which nothing is among the best, offered to its rows."""
    row, column, block = next(iter(upper_blocks(rows)))
    best = BestOfRows(len(rows), PLACES)
    above_all = 2 * int(block.max()) + 2
    full = torch.full((len(rows), PLACES), above_all, dtype=block.dtype)
    for start in range(0, len(rows), len(block)):
        best.offer(full[start : start + len(block)], start, start)

    def work() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        best.offer(block, row, column)
        torch.set_num_threads(threads)

    return work


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| part | seconds |")
    print("|---|---:|")
    for name, taken in parts().items():
        print(f"| {name} | {taken:.4f} |" if taken < 0.01 else f"| {name} | {taken:.2f} |")


if __name__ == "__main__":
    main()
