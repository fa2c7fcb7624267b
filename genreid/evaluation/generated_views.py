"""How good the generated views are, and what they look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genreid.evaluation.figures import generation_picture
from genreid.evaluation.generation import (
    Painter,
    ViewedImages,
    identity_kept,
    measure_generation,
)
from genreid.evaluation.retrieval import Pair, Retrieval, why_undefined
from genreid.models.encoder import IdentityEncoder
from genreid.progress import Silent
from genreid.seeding import numpy_rng
from genreid.timing import seconds_of

if TYPE_CHECKING:
    from genreid.progress import Progress

_NUM_PICTURED = 6
_NUM_TIMED = 2


@dataclass(frozen=True)
class GeneratedViews:
    """figures: by name. by_yaw: a row a rotation, none where no ranking is defined. picture: uint8 RGB."""

    figures: dict[str, float]
    by_yaw: list[dict[str, float]]
    picture: np.ndarray


def draw_queries(viewed: ViewedImages, num_images: int, seed: int) -> np.ndarray:
    """Sorted positions of some of the queries that have views."""
    return np.sort(numpy_rng(seed, "generated views").permutation(viewed.position)[:num_images])


def expected_seconds(
    painter: Painter, judge: IdentityEncoder, viewed: ViewedImages, num_images: int, batch_size: int
) -> float:
    """What `judge_views` will take of so many of the queries that have views, by what a few take; true views
    that it draws for them are kept."""
    some = viewed.position[: 1 + _NUM_TIMED]

    def measure(index: np.ndarray) -> None:
        measure_generation(painter, judge, viewed, index, batch_size=batch_size, progress=Silent())

    measure(some[:1])  # the first time compiles
    timed = some[1:] if len(some) > 1 else some
    seconds = seconds_of(lambda: measure(timed)) / len(timed)
    return seconds * min(num_images, len(viewed.position))


def judge_views(
    painter: Painter,
    judge: IdentityEncoder,
    viewed: ViewedImages,
    index: np.ndarray,
    pair: Pair,
    judged: Retrieval,
    *,
    batch_size: int,
    progress: Progress,
) -> GeneratedViews:
    """Paint the queries at `index` from all sides and hold them against the truth and against the gallery.

    judge: an encoder that never saw generated views; judged: its embeddings. Whether a view keeps the
    identity is measured where a ranking is defined.
    """
    measured = measure_generation(painter, judge, viewed, index, batch_size=batch_size, progress=progress)
    figures = measured.figures()
    if min(len(index), len(judged.gallery)) > 1:
        figures |= measured.frechet_figures(judged.gallery)
    by_yaw: list[dict[str, float]] = []
    person_id, camera_id = pair.queries.labels
    labels = person_id[index], camera_id[index]
    if why_undefined(*labels, *pair.gallery.labels) is None:
        kept = identity_kept(measured, *labels, judged.gallery, *pair.gallery.labels)
        figures |= {name: kept[name] for name in ("identity_of_images", "identity_kept")}
        by_yaw = [
            {
                "yaw_deg": yaw,
                "images": figures["identity_of_images"],
                "rotated_views": kept[f"identity_kept_{yaw}"],
            }
            for yaw in viewed.yaws_deg
        ]
    pictured = index[np.unique(np.linspace(0, len(index) - 1, _NUM_PICTURED).astype(np.int64))]
    return GeneratedViews(figures, by_yaw, generation_picture(painter, viewed, pictured))
