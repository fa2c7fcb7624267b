"""How well an encoder finds the same person in other cameras. Q queries, G gallery images, D wide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from genreid.clustering.cameras import without_camera_mean
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.data.ways import Look, looks
from genreid.errors import GenreidError
from genreid.evaluation.figures import ranked_lists_picture
from genreid.evaluation.ranked_lists import top_matches
from genreid.evaluation.ranking import RankingResult, rank, rank_from_distances
from genreid.evaluation.reranking import rerank
from genreid.evaluation.settings import RerankingSettings
from genreid.models.embedding import Embedder, embed_mean
from genreid.seeding import numpy_rng

if TYPE_CHECKING:
    from genreid.progress import Progress

SPLITS = {"test": ("query", "gallery"), "val": ("val_query", "val_gallery")}
RANKS = (1, 5, 10)
LENGTH_OF_LISTS = 10


@dataclass(frozen=True)
class Part:
    """Queries or gallery: rows of the manifest, and their pixels."""

    manifest: Manifest
    images: ImageSet

    @property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Identities and cameras."""
        return self.manifest.person_id, self.manifest.camera_id


@dataclass(frozen=True)
class Pair:
    """What is ranked for what. undefined: the reason why no figure of the ranking is defined, or None."""

    queries: Part
    gallery: Part
    undefined: str | None

    @classmethod
    def of(cls, manifest: Manifest, split: str, images_of: Callable[[Manifest], ImageSet]) -> Pair:
        """The images of `split`, a key of SPLITS; images_of: a part of the manifest → its pixels.

        A data set without any query and gallery is looked at all the same: every second training image
        stands in for the queries, the others for the gallery. Raises GenreidError where it has the other
        pair.
        """
        if all(manifest.has_split(name) for name in SPLITS[split]):
            rows = [manifest.select(name) for name in SPLITS[split]]
            queries, gallery = (Part(half, images_of(half)) for half in rows)
            return cls(queries, gallery, why_undefined(*queries.labels, *gallery.labels))
        _require_no_other_pair(manifest, split)
        train = manifest.select("train")
        rows = [train.rows(np.arange(first, len(train), 2)) for first in (0, 1)]
        queries, gallery = (Part(half, images_of(half)) for half in rows)
        return cls(queries, gallery, f"{manifest.info.dataset} has no query and gallery images")


def _require_no_other_pair(manifest: Manifest, split: str) -> None:
    others = [other for other, names in SPLITS.items() if all(manifest.has_split(name) for name in names)]
    if others:
        raise GenreidError(
            f"evaluate.split is {split}, and the manifest of {manifest.info.dataset} has no "
            f"{' and '.join(SPLITS[split])} images: set evaluate.split to {others[0]}"
            + (", or prepare_data.val_identities to more than 0" if split == "val" else "")
        )


def why_undefined(
    query_ids: np.ndarray, query_cameras: np.ndarray, gallery_ids: np.ndarray, gallery_cameras: np.ndarray
) -> str | None:
    """The reason why cross-camera figures are undefined for these identities and cameras, or None."""
    if not (query_ids > 0).any():
        return "no query has an identity"
    cameras = np.union1d(query_cameras, gallery_cameras)
    if len(cameras) == 1:
        known = f"all images are of camera {cameras[0]}" if cameras[0] >= 0 else "no image's camera is known"
        return f"{known}, and the figures of the field ask for matches in another camera"
    seen = set(zip(gallery_ids.tolist(), gallery_cameras.tolist(), strict=True))
    asked = zip(query_ids.tolist(), query_cameras.tolist(), strict=True)
    cameras_of: dict[int, set[int]] = {}
    for person, camera in seen:
        cameras_of.setdefault(person, set()).add(camera)
    if not any(person > 0 and cameras_of.get(person, set()) - {camera} for person, camera in asked):
        return "no query has an image of its identity from another camera in the gallery"
    return None


@dataclass(frozen=True)
class Retrieval:
    """queries (Q, D) and gallery (G, D): unit rows. result, reranked: the figures of their ranking.

    result is None where none is defined, reranked where none was asked for either.
    """

    queries: np.ndarray
    gallery: np.ndarray
    result: RankingResult | None
    reranked: RankingResult | None


def the_image_alone(part: Part) -> list[Look]:
    """How the paper looks at images."""
    return looks("image", part.images)


def embed_pair(
    encoder: Embedder,
    pair: Pair,
    batch_size: int,
    device: torch.device,
    progress: Progress,
    looks_at: Callable[[Part], Sequence[Look]] = the_image_alone,
) -> dict[str, torch.Tensor]:
    """The unit rows of `queries` (Q, D) and `gallery` (G, D), each the mean over the looks at its image."""

    def embedded(part: Part) -> torch.Tensor:
        return embed_mean(encoder, looks_at(part), len(part.images), batch_size, device, progress)

    return {"queries": embedded(pair.queries), "gallery": embedded(pair.gallery)}


def without_camera_means(embedded: Mapping[str, torch.Tensor], pair: Pair) -> dict[str, torch.Tensor]:
    """What `embed_pair` gave, less the mean of all queries and gallery images of its camera; unit rows.

    Beyond the paper. It takes the gallery and the cameras, and no identity.
    """
    rows = torch.cat([embedded["queries"], embedded["gallery"]])
    cameras = np.concatenate([pair.queries.manifest.camera_id, pair.gallery.manifest.camera_id])
    num = len(embedded["queries"])
    centred = without_camera_mean(rows, cameras)
    return {"queries": centred[:num], "gallery": centred[num:]}


def rank_pair(
    embedded: Mapping[str, torch.Tensor], pair: Pair, max_rank: int, reranking: RerankingSettings | None
) -> Retrieval:
    """Rank the gallery for each query; embedded: what `embed_pair` gave."""
    rows = embedded["queries"].numpy(), embedded["gallery"].numpy()
    if pair.undefined is not None:
        return Retrieval(*rows, None, None)
    queries, gallery = pair.queries.labels, pair.gallery.labels
    num_ranks = max(max_rank, *RANKS)
    result = rank(rows[0], *queries, rows[1], *gallery, max_rank=num_ranks)
    reranked = None
    if reranking is not None:
        reranked = rank_from_distances(rerank(*rows, reranking), *queries, *gallery, max_rank=num_ranks)
    return Retrieval(*rows, result, reranked)


def percentages(retrieval: Retrieval) -> dict[str, float]:
    """The figures that the field reports, in percent; those after re-ranking with `reranked_` before them."""
    assert retrieval.result is not None
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
    """A row a rank: the rank, and the CMC of each encoder in percent; none where it is undefined."""
    results = {name: retrieval.result for name, retrieval in retrievals.items()}
    curves = {name: 100 * result.cmc for name, result in results.items() if result is not None}
    if not curves:
        return []
    return [
        {"rank": k + 1} | {name: float(curve[k]) for name, curve in curves.items()} for k in range(max_rank)
    ]


def picture_of_lists(retrieval: Retrieval, pair: Pair, num_lists: int, seed: int) -> np.ndarray:
    """The heads of some queries' ranked lists: uint8 RGB.

    Where the field's figures are undefined, nothing is left out of the lists for its camera.
    """
    queries, gallery = pair.queries, pair.gallery
    order = numpy_rng(seed, "ranked lists").permutation(len(queries.images))
    chosen = np.sort(order[:num_lists])
    person_id, camera_id = queries.labels
    gallery_id, gallery_camera = gallery.labels
    if pair.undefined is not None:
        camera_id, gallery_camera = np.zeros_like(camera_id), np.ones_like(gallery_camera)
    lists = top_matches(
        retrieval.queries[chosen],
        person_id[chosen],
        camera_id[chosen],
        retrieval.gallery,
        gallery_id,
        gallery_camera,
        k=LENGTH_OF_LISTS,
    )
    pictures = list(queries.images.load(chosen))
    return ranked_lists_picture(pictures, lists, gallery.images.load, person_id[chosen] > 0)
