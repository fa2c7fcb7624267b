"""Ranking and re-ranking: `python -m benchmarks.retrieval ranking | features | reranking`.

ranking: mAP and CMC from a matrix of distances. features: the same from the features themselves. reranking:
k-reciprocal re-ranking. Sizes are those of Market-1501 (3,368 queries, 15,913 gallery images) and, for
`features`, of MSMT17 (11,659 × 82,161).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks import field
from benchmarks.inputs import People, people
from benchmarks.measure import Row, finish_side, measured, row, side, side_arguments, table
from genreid.evaluation.ranking import rank, rank_from_distances
from genreid.evaluation.reranking import rerank
from genreid.evaluation.settings import RerankingSettings

MARKET = (3_368, 15_913)
MSMT17 = (11_659, 82_161)
MAX_RANK = 10
RERANKING: dict[str, Any] = {"k1": 20, "k2": 6, "original_weight": 0.3}
KINDS = ("ranking", "features", "reranking")
ALTERNATIVES = {
    "ranking": "argsort and scikit-learn's average_precision_score for every query",
    "features": "dense distances, argsort and scikit-learn's average_precision_score for every query",
    "reranking": "dense NumPy k-reciprocal re-ranking",
}


def compare(kind: str, num_queries: int, num_gallery: int, *, with_field: bool = True) -> Row:
    """Ours beside the field's way on the same input."""
    options: dict[str, Any] = {"kind": kind, "num_queries": num_queries, "num_gallery": num_gallery}
    ours, figures, found = side("retrieval", "ours", **options)
    setting = f"{num_queries:,} × {num_gallery:,}" + ("" if kind == "ranking" else ", D = 2048")
    if not with_field:
        return row(kind, setting, num_gallery, ours, None, note=f"mAP {figures['mean_ap']:.4f}")
    theirs, other, dense = side("retrieval", "field", **options)
    if kind == "reranking":
        difference = np.abs(found["distances"] - dense["distances"])
        agreement = f"99.9 % of distances within {np.quantile(difference, 0.999):.1g}"
    else:
        agreement = (
            f"mAP differs by {abs(figures['mean_ap'] - other['mean_ap']):.1g}, "
            f"CMC by {np.abs(found['cmc'] - dense['cmc']).max():.1g}"
        )
    return row(kind, setting, num_gallery, ours, theirs, alternative=ALTERNATIVES[kind], agreement=agreement)


def run_side(arguments: argparse.Namespace) -> None:
    scene = people(arguments.num_queries + arguments.num_gallery, 2048)
    runs = {"ranking": _ranking, "features": _features, "reranking": _reranking}
    runs[arguments.kind](arguments, scene)


def _labels(scene: People, num: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return scene.person[:num], scene.camera[:num], scene.person[num:], scene.camera[num:]


def _ranking(arguments: argparse.Namespace, scene: People) -> None:
    num = arguments.num_queries
    distances = (1 - scene.features[:num] @ scene.features[num:].T).numpy()
    labels = _labels(scene, num)
    if arguments.side == "field":
        (mean_ap, cmc), cost = measured(
            lambda: field.mean_average_precision(distances, *labels, max_rank=MAX_RANK)
        )
    else:
        rank_from_distances(distances[:99], labels[0][:99], labels[1][:99], *labels[2:], max_rank=MAX_RANK)
        result, cost = measured(lambda: rank_from_distances(distances, *labels, max_rank=MAX_RANK))
        mean_ap, cmc = result.mean_ap, result.cmc
    finish_side(arguments, cost, {"mean_ap": mean_ap}, cmc=cmc)


def _features(arguments: argparse.Namespace, scene: People) -> None:
    num = arguments.num_queries
    queries, gallery = scene.features[:num], scene.features[num:]
    ids, cameras, gallery_ids, gallery_cameras = _labels(scene, num)
    if arguments.side == "field":

        def dense() -> tuple[float, np.ndarray]:
            distances = (1 - queries @ gallery.T).numpy()
            return field.mean_average_precision(
                distances, ids, cameras, gallery_ids, gallery_cameras, max_rank=MAX_RANK
            )

        (mean_ap, cmc), cost = measured(dense)
    else:
        rank(queries[:99], ids[:99], cameras[:99], gallery, gallery_ids, gallery_cameras, max_rank=MAX_RANK)
        result, cost = measured(
            lambda: rank(queries, ids, cameras, gallery, gallery_ids, gallery_cameras, max_rank=MAX_RANK)
        )
        mean_ap, cmc = result.mean_ap, result.cmc
    finish_side(arguments, cost, {"mean_ap": mean_ap}, cmc=cmc)


def _reranking(arguments: argparse.Namespace, scene: People) -> None:
    queries, gallery = (part.numpy() for part in scene.features.split(list(_sizes(arguments))))
    if arguments.side == "field":
        distances, cost = measured(lambda: field.rerank(queries, gallery, **RERANKING))
    else:
        settings = RerankingSettings(**RERANKING)
        rerank(queries[:99], gallery[:99], settings)[:]
        distances, cost = measured(lambda: rerank(queries, gallery, settings)[:])
    finish_side(arguments, cost, {"mean_ap": float("nan")}, distances=distances)


def _sizes(arguments: argparse.Namespace) -> tuple[int, int]:
    return arguments.num_queries, arguments.num_gallery


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("kind_of_work", nargs="?", choices=KINDS, default="ranking")
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--num-queries", type=int)
    parser.add_argument("--num-gallery", type=int)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments)
        return
    kind = arguments.kind_of_work
    sizes = MSMT17 if kind == "features" else MARKET
    num_queries, num_gallery = arguments.num_queries or sizes[0], arguments.num_gallery or sizes[1]
    print(table([compare(kind, num_queries, num_gallery)]))


if __name__ == "__main__":
    main()
