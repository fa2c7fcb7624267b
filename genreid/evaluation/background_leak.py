"""How much the background of an image tells of its person, when the person is taken out of it.

Beyond the paper: second views stand before backgrounds of other cameras, which teach the wrong thing where
coats, hair and bags are left in them. N images, G gallery images, D embedding width, H×W the training size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.data.background import without_person
from genreid.evaluation.bodies import Bodies
from genreid.evaluation.generation import ViewedImages, embed_pictures
from genreid.evaluation.protocol import DISTRACTOR, JUNK
from genreid.evaluation.ranking import rank
from genreid.evaluation.retrieval import Pair
from genreid.models.encoder import IdentityEncoder

_OWN_VIEWPOINT = 0


@dataclass(frozen=True)
class Elsewhere:
    """What each of N queries may find in other cameras than its own.

    matches, candidates: (N,) int64, gallery images of its identity there, and all images there but junk.
    """

    matches: np.ndarray
    candidates: np.ndarray

    @classmethod
    def of(
        cls, ids: np.ndarray, cameras: np.ndarray, gallery_ids: np.ndarray, gallery_cameras: np.ndarray
    ) -> Elsewhere:
        """Of identities and cameras (N,) among those of a gallery (G,)."""
        there = (gallery_cameras != cameras[:, None]) & (gallery_ids != JUNK)
        named = (ids != JUNK) & (ids != DISTRACTOR)
        matches = (there & (gallery_ids == ids[:, None])).sum(1)
        return cls(np.where(named, matches, 0), there.sum(1))

    @property
    def counts(self) -> np.ndarray:
        """(N,) bool: queries that have something to find."""
        found: np.ndarray = self.matches > 0
        return found

    def by_chance(self) -> tuple[float, float]:
        """Rank-1 and mAP to expect where every order of the candidates is as likely as any other."""
        matches, candidates = self.matches[self.counts], self.candidates[self.counts]
        precision = [expected_precision(*pair) for pair in zip(matches, candidates, strict=True)]
        return float((matches / candidates).mean()), float(np.mean(precision))


def expected_precision(num_matches: int, num_candidates: int) -> float:
    """The mean AP over all orders of m matches among n candidates, m ≥ 1.

    A match at rank k has (k − 1)(m − 1)/(n − 1) others before it in the mean, so that precision there is
    1/k + (1 − 1/k)·(m − 1)/(n − 1); the mean over k = 1 … n is (H_n + (n − H_n)·(m − 1)/(n − 1))/n, H_n the
    n-th harmonic number (the closed form is Bestgen's, "Exact Expected Average Precision of the Random
    Baseline for System Evaluation", 2015).
    """
    if num_candidates == 1:
        return 1.0
    harmonic = (1 / np.arange(1, num_candidates + 1)).sum()
    others = (num_matches - 1) / (num_candidates - 1)
    return float((harmonic + (num_candidates - harmonic) * others) / num_candidates)


def rank_elsewhere(
    embedding: np.ndarray,
    labels: tuple[np.ndarray, np.ndarray],
    gallery: np.ndarray,
    gallery_labels: tuple[np.ndarray, np.ndarray],
) -> tuple[float, float]:
    """Rank-1 and mAP of queries (N, D) among the gallery images (G, D) of other cameras than their own.

    labels: identities and cameras. The field's protocol leaves the images of other persons in the query's own
    camera among the candidates. A background finds those first, for its camera's sake, and would look
    innocent. Some query has to have a match.
    """
    (ids, cameras), (gallery_ids, gallery_cameras) = labels, gallery_labels
    counts = Elsewhere.of(*labels, *gallery_labels).counts
    firsts, precisions = [], []
    for camera in np.unique(cameras[counts]):
        rows = np.flatnonzero(counts & (cameras == camera))
        elsewhere = np.where(gallery_cameras == camera, JUNK, gallery_ids)
        found = rank(
            embedding[rows], ids[rows], cameras[rows], gallery, elsewhere, gallery_cameras, max_rank=1
        )
        firsts.append(found.first_match == 1)
        precisions.append(found.average_precision)
    return float(np.concatenate(firsts).mean()), float(np.concatenate(precisions).mean())


def measure_leak(
    judge: IdentityEncoder,
    viewed: ViewedImages,
    bodies: Bodies,
    index: np.ndarray,
    pair: Pair,
    gallery: np.ndarray,
    *,
    batch_size: int,
) -> dict[str, float] | str:
    """Rank-1 and mAP (%) of the queries at `index` (N,) without their persons, and by chance; the reason in
    one line where there are none. Queries without a body are left out.

    judge: an encoder; gallery: (G, D), the gallery as it sees it. `images`: the images as they are.
    `outline`: without the body's outline; `mask`: without mask and outline, as training has it, where any
    mask is known; `true_mask`: without the person as drawn, where that is known.
    """
    if pair.undefined is not None:
        return pair.undefined
    if not bodies.has_body[index].any():
        return f"none of {len(index)} queries has a body"
    index = index[bodies.has_body[index]]
    ids, cameras = pair.queries.labels
    labels = ids[index], cameras[index]
    elsewhere = Elsewhere.of(*labels, *pair.gallery.labels)
    if not elsewhere.counts.any():
        return f"none of {len(index)} queries has an image of its identity in another camera"
    kinds = ["images", "outline"]
    kinds += ["mask"] if bodies.has_mask[index].any() else []
    kinds += ["true_mask"] if viewed.has_truth else []
    figures: dict[str, float] = {"queries": int(elsewhere.counts.sum())}
    figures |= _percentages("chance", elsewhere.by_chance())
    for kind in kinds:
        rows = [
            embed_pictures(judge, _pictures(kind, viewed, bodies, index[start : start + batch_size]))
            for start in range(0, len(index), batch_size)
        ]
        found = rank_elsewhere(np.concatenate(rows), labels, gallery, pair.gallery.labels)
        figures |= _percentages(kind, found)
    return figures


def _pictures(kind: str, viewed: ViewedImages, bodies: Bodies, index: np.ndarray) -> np.ndarray:
    """The images at `index` (B,), with less and less of their persons: (B, H, W, 3) uint8."""
    match kind:
        case "images":
            return viewed.images.load(index)
        case "outline":
            return bodies.persons.empty_of_bodies(index)
        case "mask":
            return bodies.persons.empty(index)
    _, silhouettes = viewed.true_views(index, _OWN_VIEWPOINT)
    pairs = zip(viewed.images.load(index), silhouettes, strict=True)
    return np.stack([without_person(image, silhouette) for image, silhouette in pairs])


def _percentages(kind: str, found: tuple[float, float]) -> dict[str, float]:
    return {f"{kind}_rank_1": 100 * found[0], f"{kind}_mAP": 100 * found[1]}
