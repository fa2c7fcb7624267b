"""What training has changed in the encoder's eyes, where identities and true headings are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from genreid.evaluation.figures import LAMBDAS, ranked_lists_picture
from genreid.evaluation.generation import Painter, ViewedImages, embed_pictures
from genreid.evaluation.invariance import (
    PairHits,
    Seen,
    Spread,
    bins,
    largest_changes,
    pair_hits,
    partners,
    prototypes,
    spread,
)
from genreid.evaluation.mixtures import mixtures_picture, paint_mixtures
from genreid.evaluation.ranked_lists import RankedLists, top_matches
from genreid.evaluation.retrieval import LENGTH_OF_LISTS, Pair, Part, Retrieval
from genreid.models.encoder import IdentityEncoder

NEAR_DEG, FAR_DEG = (0, 60), (120, 180)
"""Pairs of a similar viewpoint, and of opposite ones."""

_MOST_SPREAD = 60
_NUM_PICTURED = 6
_NUM_CHANGED = 4

Rows = list[dict[str, float]]


@dataclass(frozen=True)
class _Eyes:
    """An encoder, and the queries and gallery as it sees them."""

    encoder: IdentityEncoder
    queries: Seen
    gallery: Seen


@dataclass(frozen=True)
class Invariance:
    """figures: by name. hits, spread, mixtures: rows of curves. pictures: uint8 RGB by name. All empty where
    there is no truth."""

    figures: dict[str, float] = field(default_factory=dict)
    hits: Rows = field(default_factory=list)
    spread: Rows = field(default_factory=list)
    mixtures: Rows = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


def judge_invariance(
    encoders: Mapping[str, IdentityEncoder],
    painter: Painter,
    viewed: ViewedImages | None,
    index: np.ndarray,
    pair: Pair,
    retrievals: Mapping[str, Retrieval],
    headings: Mapping[str, float],
    *,
    seed: int,
) -> Invariance:
    """Warm-up and joint encoder side by side.

    encoders, retrievals: by the names of the metrics. viewed: the queries, None without mesh views; index:
    those whose generated views are looked at. headings: the true ones by image id, see `true_headings`.
    """
    if not headings or pair.undefined is not None:
        return Invariance()
    eyes = {
        name: _Eyes(
            encoder,
            _seen(pair.queries, retrievals[name].queries, headings),
            _seen(pair.gallery, retrievals[name].gallery, headings),
        )
        for name, encoder in encoders.items()
    }
    hits = {name: pair_hits(one.queries, one.gallery) for name, one in eyes.items()}
    figures = {
        f"{name}_hits_{least}_{most}": 100 * found.rate(least, most)
        for name, found in hits.items()
        for least, most in (NEAR_DEG, FAR_DEG)
        if found.num(least, most)
    }
    pictures = {"changed_lists": _changed_lists(pair, retrievals)}
    known = np.isin(pair.queries.manifest.person_id[index], np.setdiff1d(pair.gallery.labels[0], [-1, 0]))
    if viewed is None or not known.any():
        return Invariance(figures, _hit_rows(hits), pictures=pictures)
    chosen = np.unique(np.linspace(0, known.sum() - 1, _MOST_SPREAD).astype(np.int64))
    looked_at = index[known][chosen]
    spreads = _spreads(eyes, painter, viewed, looked_at)
    figures |= {f"{name}_spread_{kind}": found.ratio for (name, kind), found in spreads.items()}
    mixture_rows, mixtures = _mixtures(eyes, painter, viewed, looked_at, seed)
    pictures["mixtures"] = mixtures
    spread_rows = _spread_rows(viewed.yaws_deg, spreads)
    return Invariance(figures, _hit_rows(hits), spread_rows, mixture_rows, pictures)


def true_headings(truth: pa.Table) -> dict[str, float]:
    """Image id → heading in degrees; empty where the truth has no rows, as for photographs."""
    if not truth.num_rows:
        return {}
    return dict(zip(truth["image_id"].to_pylist(), truth["heading_deg"].to_pylist(), strict=True))


def _seen(part: Part, embedding: np.ndarray, headings: Mapping[str, float]) -> Seen:
    known = [headings.get(image_id, np.nan) for image_id in part.manifest.image_id]
    return Seen(embedding, *part.labels, np.array(known))


def _hit_rows(hits: Mapping[str, PairHits]) -> Rows:
    """A row a bin of viewpoints that has pairs: their number, and the share of hits in percent."""
    num = next(iter(hits.values())).num
    return [
        {"degrees_apart": (least + most) / 2, "pairs": num(least, most)}
        | {name: 100 * found.rate(least, most) for name, found in hits.items()}
        for least, most in bins()
        if num(least, most)
    ]


def _spreads(
    eyes: Mapping[str, _Eyes], painter: Painter, viewed: ViewedImages, index: np.ndarray
) -> dict[tuple[str, str], Spread]:
    """Of each encoder, over generated views and over the true ones."""
    codes = painter.appearance(viewed.images.load(index))
    views = {
        "generated": [painter.paint(viewed.shown(index, yaw), codes) for yaw in viewed.yaws_deg],
        "true": [viewed.true_views(index, yaw)[0] for yaw in viewed.yaws_deg],
    }
    return {
        (name, kind): spread(
            one.queries.select(index),
            np.stack([embed_pictures(one.encoder, pictures) for pictures in by_yaw], axis=1),
            one.gallery,
        )
        for name, one in eyes.items()
        for kind, by_yaw in views.items()
    }


def _spread_rows(yaws_deg: tuple[int, ...], spreads: Mapping[tuple[str, str], Spread]) -> Rows:
    """A row a rotation: mean distance from the image, beside that of the nearest other person."""
    return [
        {"yaw_deg": yaw_deg}
        | {f"{name}_{kind}": float(one.rotation[:, i].mean()) for (name, kind), one in spreads.items()}
        | {f"{name}_nearest_other": float(one.nearest_other.mean()) for (name, _), one in spreads.items()}
        for i, yaw_deg in enumerate(yaws_deg)
    ]


def _mixtures(
    eyes: Mapping[str, _Eyes], painter: Painter, viewed: ViewedImages, index: np.ndarray, seed: int
) -> tuple[Rows, np.ndarray]:
    """A row a weight λ: similarity to the prototypes of both identities; and a picture of some images."""
    person_id = next(iter(eyes.values())).queries.person_id[index]
    partner = partners(person_id, seed)
    pictures = paint_mixtures(painter, viewed, index, index[partner])
    rows: Rows = [{"lambda": weight} for weight in LAMBDAS]
    own = other = np.zeros(pictures.shape[:2])
    for name, one in eyes.items():
        mixed = embed_pictures(one.encoder, pictures.reshape(-1, *pictures.shape[2:]))
        mixed = mixed.reshape(*pictures.shape[:2], -1)
        own, other = (
            np.einsum("nld,nd->nl", mixed, prototypes(ids, one.gallery))
            for ids in (person_id, person_id[partner])
        )
        for row, s, o in zip(rows, own.mean(axis=0), other.mean(axis=0), strict=True):
            row |= {f"{name}_own": float(s), f"{name}_other": float(o)}
    shown = slice(_NUM_PICTURED)
    images, others = (viewed.images.load(positions[shown]) for positions in (index, index[partner]))
    return rows, mixtures_picture(images, pictures[shown], others, own[shown], other[shown])


def _changed_lists(pair: Pair, retrievals: Mapping[str, Retrieval]) -> np.ndarray:
    """The queries that gained and lost most of their AP, each with its list before and after."""
    precision = {}
    for name, retrieval in retrievals.items():
        assert retrieval.result is not None
        precision[name] = retrieval.result.average_precision
    before, after = precision.values()
    chosen = largest_changes(before, after, _NUM_CHANGED)
    person_id, camera_id = (labels[chosen] for labels in pair.queries.labels)
    lists = [
        top_matches(
            one.queries[chosen], person_id, camera_id, one.gallery, *pair.gallery.labels, k=LENGTH_OF_LISTS
        )
        for one in retrievals.values()
    ]
    # Query by query, before and after.
    in_turn = RankedLists(
        *(
            np.stack([getattr(one, name) for one in lists], axis=1).reshape(-1, LENGTH_OF_LISTS)
            for name in ("index", "is_match", "similarity")
        )
    )
    pictures = np.repeat(pair.queries.images.load(chosen), len(lists), axis=0)
    notes = [f"{name} AP {100 * values[q]:.0f}" for q in chosen for name, values in precision.items()]
    return ranked_lists_picture(list(pictures), in_turn, pair.gallery.images.load, notes=notes)
