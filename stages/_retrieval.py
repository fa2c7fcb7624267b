"""How well an encoder finds the same person in other cameras. Q queries, G gallery images, D wide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.data.transforms import normalise
from genreid.evaluation.figures import ranked_lists_picture
from genreid.evaluation.ranking import RankingResult, rank, rank_from_distances, top_matches
from genreid.evaluation.reranking import RerankingSettings, rerank
from genreid.models.embedding import embed
from genreid.models.encoder import IdentityEncoder
from genreid.seeding import numpy_rng
from stages._data import image_set, read_manifest
from stages._run import StageRun

SPLITS = {"test": ("query", "gallery"), "val": ("val_query", "val_gallery")}
RANKS = (1, 5, 10)
_LENGTH_OF_LISTS = 10


@dataclass(frozen=True)
class Part:
    """Queries or gallery: rows of the manifest, and their pixels."""

    manifest: Manifest
    images: ImageSet

    @classmethod
    def of(cls, run: StageRun, split: str) -> Part:
        manifest = read_manifest(run).select(split)
        return cls(manifest, image_set(run, manifest))

    @property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Identities and cameras."""
        return self.manifest.person_id, self.manifest.camera_id


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
    queries: Part,
    gallery: Part,
    *,
    batch_size: int,
    max_rank: int,
    reranking: RerankingSettings | None,
) -> Retrieval:
    """Embed both parts and rank the gallery for each query. Embeddings are kept under `name` in the state."""

    def make() -> dict[str, torch.Tensor]:
        parts = {"queries": queries.images, "gallery": gallery.images}
        return {part: _embed(run, encoder, images, batch_size) for part, images in parts.items()}

    kept = run.state.keep(f"embeddings of {name}", make)
    rows = kept["queries"].numpy(), kept["gallery"].numpy()
    num_ranks = max(max_rank, *RANKS)
    result = rank(rows[0], *queries.labels, rows[1], *gallery.labels, max_rank=num_ranks)
    reranked = None
    if reranking is not None:
        distances = rerank(*rows, reranking)
        reranked = rank_from_distances(distances, *queries.labels, *gallery.labels, max_rank=num_ranks)
    return Retrieval(*rows, result, reranked)


def _embed(run: StageRun, encoder: IdentityEncoder, images: ImageSet, batch_size: int) -> torch.Tensor:
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


def cmc_rows(retrievals: Mapping[str, Retrieval], max_rank: int) -> list[dict[str, float]]:
    """A row a rank: the rank, and the CMC of each encoder in percent."""
    curves = {name: 100 * retrieval.result.cmc for name, retrieval in retrievals.items()}
    return [
        {"rank": k + 1} | {name: float(curve[k]) for name, curve in curves.items()} for k in range(max_rank)
    ]


def picture_of_lists(
    retrieval: Retrieval, queries: Part, gallery: Part, num_lists: int, seed: int
) -> np.ndarray:
    """The heads of some queries' ranked lists: uint8 RGB."""
    order = numpy_rng(seed, "ranked lists").permutation(len(queries.images))
    chosen = np.sort(order[:num_lists])
    person_id, camera_id = queries.labels
    lists = top_matches(
        retrieval.queries[chosen],
        person_id[chosen],
        camera_id[chosen],
        retrieval.gallery,
        *gallery.labels,
        k=_LENGTH_OF_LISTS,
    )
    return ranked_lists_picture(list(queries.images.load(chosen)), lists, gallery.images.load)
