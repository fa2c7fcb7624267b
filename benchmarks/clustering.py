"""Neighbours, Jaccard distance and DBSCAN: `python -m benchmarks.clustering --num-images 12936`.

Ours against the dense loop; and the approximate search against the exact one (`--approximate`).
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from benchmarks import field
from benchmarks.inputs import people
from benchmarks.measure import Row, finish_side, measured, row, side, side_arguments, table
from genreid.clustering.neighbours import nearest_neighbours
from genreid.clustering.pseudo_labels import PseudoLabelSettings, cluster

SETTINGS = {"k1": 30, "k2": 6, "eps": 0.6, "min_samples": 4}
RECALL_QUERIES = 10_000
ALTERNATIVE = "faiss neighbours, dense NumPy k-reciprocal loop, scikit-learn DBSCAN"


def compare(num: int, *, spectrum: str = "falling", with_field: bool = True, width: int = 2048) -> Row:
    """Ours beside the dense loop, on the same features; without it, ours alone."""
    options = {"num_images": num, "spectrum": spectrum, "width": width}
    ours, _, found = side("clustering", "ours", **options)
    setting = f"N = {num:,}, D = {width}, {spectrum} spectrum"
    if not with_field:
        return row("pseudo-labels", setting, num, ours, None, note=f"{clusters(found['labels'])}")
    theirs, _, dense = side("clustering", "field", **options)
    return row(
        "pseudo-labels", setting, num, ours, theirs, alternative=ALTERNATIVE, agreement=agree(found, dense)
    )


def compare_approximate(num: int, width: int, *, exact_labels: bool) -> Row:
    """The approximate search beside the exact one; beyond its reach, beside exact queries alone."""
    options = {"num_images": num, "spectrum": "falling", "width": width}
    ours, figures, found = side("clustering", "ivf", **options)
    setting = f"N = {num:,}, D = {width}, ivf"
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
    settings = PseudoLabelSettings(**SETTINGS, method="ivf" if arguments.side == "ivf" else "torch")
    cluster(people(5000, arguments.width).features, settings)  # compiles, and loads what is compiled
    labels, cost = measured(lambda: cluster(features, settings).labels)
    figures = recall(features) if arguments.side == "ivf" else {}
    finish_side(arguments, cost, figures, labels=labels)


def recall(features: torch.Tensor) -> dict[str, float]:
    """Share of the exact k1 nearest images that the approximate search finds, on some of the queries."""
    k = SETTINGS["k1"]
    found = nearest_neighbours(features, k, method="ivf").index
    queries = np.unique(np.linspace(0, len(features) - 1, RECALL_QUERIES).astype(np.int64))
    hits = 0
    for chunk in np.array_split(queries, max(1, len(queries) * len(features) // 2**26)):
        exact = (features[chunk] @ features.T).topk(k, dim=1).indices.numpy()
        hits += sum(len(np.intersect1d(a, b)) for a, b in zip(exact, found[chunk], strict=True))
    return {"recall": hits / (len(queries) * k), "queries": len(queries)}


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("--num-images", type=int, default=12_936)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--spectrum", choices=("falling", "flat"), default="falling")
    parser.add_argument("--approximate", action="store_true")
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
    elif arguments.approximate:
        print(table([compare_approximate(arguments.num_images, arguments.width, exact_labels=True)]))
    else:
        result = compare(arguments.num_images, spectrum=arguments.spectrum, width=arguments.width)
        print(table([result]))


if __name__ == "__main__":
    main()
