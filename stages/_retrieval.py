"""How well an encoder finds the same person in other cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from genreid.data.manifest import Manifest
from genreid.data.transforms import normalise
from genreid.evaluation.ranking import RankingResult, rank, rank_from_distances
from genreid.evaluation.reranking import RerankingSettings, rerank
from genreid.models.embedding import embed
from genreid.models.encoder import IdentityEncoder
from stages._data import image_set
from stages._run import StageRun

SPLITS = {"test": ("query", "gallery"), "val": ("val_query", "val_gallery")}
RANKS = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval:
    """queries (Q, D) and gallery (G, D): unit rows. result, reranked: the figures of their ranking."""

    queries: np.ndarray
    gallery: np.ndarray
    result: RankingResult
    reranked: RankingResult | None


def retrieve(
    run: StageRun,
    name: str,
    encoder: IdentityEncoder,
    queries: Manifest,
    gallery: Manifest,
    *,
    batch_size: int,
    max_rank: int,
    reranking: RerankingSettings | None,
) -> Retrieval:
    """Embed both sets and rank the gallery for each query. Embeddings are kept under `name` in the state."""

    def make() -> dict[str, torch.Tensor]:
        return {
            "queries": _embed(run, encoder, queries, batch_size),
            "gallery": _embed(run, encoder, gallery, batch_size),
        }

    kept = run.state.keep(f"embeddings of {name}", make)
    rows = kept["queries"].numpy(), kept["gallery"].numpy()
    labels = queries.person_id, queries.camera_id, gallery.person_id, gallery.camera_id
    result = rank(rows[0], *labels[:2], rows[1], *labels[2:], max_rank=max(max_rank, *RANKS))
    reranked = None
    if reranking is not None:
        reranked = rank_from_distances(rerank(*rows, reranking), *labels, max_rank=max(max_rank, *RANKS))
    return Retrieval(*rows, result, reranked)


def _embed(run: StageRun, encoder: IdentityEncoder, manifest: Manifest, batch_size: int) -> torch.Tensor:
    images = image_set(run, manifest)

    def load(index: np.ndarray) -> torch.Tensor:
        return normalise(images.load(index))

    return embed(encoder, load, len(images), batch_size, run.device, run.tracker)


def percentages(retrieval: Retrieval) -> dict[str, float]:
    """The figures that the field reports, in percent; those after re-ranking with `reranked_` before them."""
    figures = _percentages(retrieval.result)
    if retrieval.reranked is not None:
        figures |= {f"reranked_{name}": value for name, value in _percentages(retrieval.reranked).items()}
    return figures


def _percentages(result: RankingResult) -> dict[str, float]:
    figures = {"mAP": result.mean_ap}
    figures |= {f"rank_{k}": float(result.cmc[k - 1]) for k in RANKS}
    figures["mINP"] = result.mean_inp
    return {name: 100 * value for name, value in figures.items()}


def cmc_rows(retrievals: Mapping[str, Retrieval]) -> list[dict[str, float]]:
    """A row a rank: the rank, and the CMC of each encoder in percent."""
    curves = {name: 100 * retrieval.result.cmc for name, retrieval in retrievals.items()}
    num_ranks = min(len(curve) for curve in curves.values())
    return [
        {"rank": k + 1} | {name: float(curve[k]) for name, curve in curves.items()} for k in range(num_ranks)
    ]
