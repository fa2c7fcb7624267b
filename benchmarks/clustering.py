"""Neighbours, Jaccard distance and DBSCAN: `python -m benchmarks.clustering --num-images 12936`.

Ours, by the default search, against the dense loop; and an approximate search against the exact one
(`--approximate pca_bound`). `--processor avx2` limits both sides to the kernels of a lesser processor, and
`--alone` leaves the dense loop out.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, get_args

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from benchmarks import field
from benchmarks.inputs import people
from benchmarks.measure import Row, finish_side, measured, row, side, side_arguments, table
from benchmarks.processors import Processor, what_ran
from genreid.clustering.jaccard import jaccard_graph
from genreid.clustering.neighbours import Neighbours, nearest_neighbours
from genreid.clustering.pseudo_labels import dbscan
from genreid.clustering.settings import Method
from genreid.clustering.similarity import unit_rows

SETTINGS: dict[str, Any] = {"k1": 30, "k2": 6, "eps": 0.6, "min_samples": 4}
APPROXIMATE: tuple[Method, ...] = ("pca_bound", "hnsw")
RECALL_QUERIES = 10_000
ALTERNATIVE = "faiss neighbours, dense NumPy k-reciprocal loop, scikit-learn DBSCAN"


def compare(
    num: int,
    *,
    spectrum: str = "falling",
    with_field: bool = True,
    width: int = 2048,
    processor: Processor = "own",
) -> Row:
    """Ours beside the dense loop, on the same features; without it, ours alone."""
    options: dict[str, Any] = {"num_images": num, "spectrum": spectrum, "width": width}
    ours, figures, found = side("clustering", "ours", processor=processor, **options)
    print(figures["what_ran"], file=sys.stderr)
    setting = f"N = {num:,}, D = {width}, {spectrum} spectrum" + (", AVX2" if processor == "avx2" else "")
    theirs, agreement = None, clusters(found["labels"])
    if with_field:
        theirs, _, dense = side("clustering", "field", processor=processor, **options)
        agreement = agree(found, dense)
    return row(
        "pseudo-labels",
        setting,
        num,
        ours,
        theirs,
        alternative=ALTERNATIVE if with_field else "",
        agreement=agreement,
        note=f"{figures['neighbours_share']:.0%} of ours is the search",
        processor=processor,
    )


def compare_approximate(num: int, width: int, method: Method, *, exact_labels: bool) -> Row:
    """An approximate search beside the exact one; beyond its reach, beside exact queries alone."""
    options: dict[str, Any] = {"num_images": num, "spectrum": "falling", "width": width}
    ours, figures, found = side("clustering", method, **options)
    setting = f"N = {num:,}, D = {width}, {method}"
    agreement = f"recall {figures['recall']:.4f} on {figures['queries']:,} queries"
    exact = None
    if exact_labels:
        exact, _, reference = side("clustering", "ours", **options)
        agreement += f", ARI {adjusted_rand_score(reference['labels'], found['labels']):.4f}"
    return row("approximate", setting, num, ours, exact, alternative="the exact search", agreement=agreement)


def agree(found: dict[str, np.ndarray], dense: dict[str, np.ndarray]) -> str:
    same = np.mean(found["labels"] == dense["labels"])
    ari = adjusted_rand_score(dense["labels"], found["labels"])
    return f"{same:.2%} of labels equal, ARI {ari:.4f}; {clusters(found['labels'])}"


def clusters(labels: np.ndarray) -> str:
    return f"{labels.max() + 1:,} clusters, {np.count_nonzero(labels < 0):,} outliers"


def run_side(arguments: argparse.Namespace) -> None:
    scene = people(arguments.num_images, arguments.width, spectrum=arguments.spectrum)
    features = scene.features
    if arguments.side == "field":
        labels, cost = measured(lambda: field.pseudo_labels(features.numpy(), **SETTINGS))
        finish_side(arguments, cost, {}, labels=labels)
        return
    method: Method = arguments.side if arguments.side in APPROXIMATE else "exact"
    pseudo_labels(people(5000, arguments.width).features, method)  # compiles, and loads what is compiled
    (labels, neighbours, share), cost = measured(lambda: pseudo_labels(features, method))
    figures: dict[str, Any] = {"neighbours_share": share, "what_ran": what_ran()}
    if method in APPROXIMATE:
        figures |= recall(features, neighbours)
    finish_side(arguments, cost, figures, labels=labels)


def pseudo_labels(features: torch.Tensor, method: Method) -> tuple[np.ndarray, Neighbours, float]:
    """What `genreid.clustering.pseudo_labels.cluster` does; the neighbours, and their share of its time."""
    start = time.perf_counter()
    rows = unit_rows(features)
    neighbours = nearest_neighbours(features, SETTINGS["k1"], method=method)
    searched = time.perf_counter()
    k1, k2, eps = (SETTINGS[name] for name in ("k1", "k2", "eps"))
    labels = dbscan(jaccard_graph(rows, neighbours, k1=k1, k2=k2, eps=eps), SETTINGS["min_samples"]).labels
    return labels, neighbours, (searched - start) / (time.perf_counter() - start)


def recall(features: torch.Tensor, found: Neighbours) -> dict[str, float]:
    """Share of the exact k1 nearest images that were found, on some of the queries."""
    k = SETTINGS["k1"]
    queries = np.unique(np.linspace(0, len(features) - 1, RECALL_QUERIES).astype(np.int64))
    hits = 0
    for chunk in np.array_split(queries, max(1, len(queries) * len(features) // 2**26)):
        exact = (features[chunk] @ features.T).topk(k, dim=1).indices.numpy()
        hits += sum(len(np.intersect1d(a, b)) for a, b in zip(exact, found.index[chunk], strict=True))
    return {"recall": hits / (len(queries) * k), "queries": len(queries)}


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("--num-images", type=int, default=12_936)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--spectrum", choices=("falling", "flat"), default="falling")
    parser.add_argument("--approximate", choices=APPROXIMATE)
    parser.add_argument("--processor", choices=get_args(Processor), default="own")
    parser.add_argument("--alone", action="store_true")
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
    elif arguments.approximate:
        sizes = arguments.num_images, arguments.width
        print(table([compare_approximate(*sizes, arguments.approximate, exact_labels=True)]))
    else:
        result = compare(
            arguments.num_images,
            spectrum=arguments.spectrum,
            width=arguments.width,
            processor=arguments.processor,
            with_field=not arguments.alone,
        )
        print(table([result]))


if __name__ == "__main__":
    main()
