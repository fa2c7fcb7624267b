"""What an encoder has learnt to be invariant to: hits by viewpoint, spread over rotations, mixtures of two.

Shapes: Q queries, G gallery images, D embedding width, N images, Y rotations, M true pairs. Embeddings are
unit rows, distances are 1 − cosine. All of it needs identities, hits by viewpoint true headings too: it
measures, and nothing is trained on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genreid.evaluation.protocol import JUNK
from genreid.seeding import numpy_rng

BIN_DEG = 30
"""Width of the bins of viewpoints in which hits are counted."""

_CHUNK = 512


@dataclass(frozen=True)
class PairHits:
    """The true pairs of query and gallery image: one identity, two cameras.

    difference_deg: (M,) how far apart their viewpoints are, 0 to 180. hit: (M,) bool, whether the gallery
    image is nearer to the query than any image of somebody else.
    """

    difference_deg: np.ndarray
    hit: np.ndarray

    def rate(self, least_deg: float, most_deg: float) -> float:
        """Share of hits among pairs whose viewpoints are `least_deg` to `most_deg` apart; NaN without any."""
        among = self._among(least_deg, most_deg)
        return float(self.hit[among].mean()) if among.any() else float("nan")

    def num(self, least_deg: float, most_deg: float) -> int:
        return int(self._among(least_deg, most_deg).sum())

    def _among(self, least_deg: float, most_deg: float) -> np.ndarray:
        # 180 itself belongs to the last bin.
        below = self.difference_deg < most_deg if most_deg < 180 else self.difference_deg <= 180
        return (self.difference_deg >= least_deg) & below


@dataclass(frozen=True)
class Seen:
    """Images as an encoder sees them: embedding (n, D); person_id, camera_id, heading_deg (n,), NaN where the
    heading is not known."""

    embedding: np.ndarray
    person_id: np.ndarray
    camera_id: np.ndarray
    heading_deg: np.ndarray

    def select(self, index: np.ndarray) -> Seen:
        """The images at these positions."""
        return Seen(*(values[index] for values in vars(self).values()))


def pair_hits(queries: Seen, gallery: Seen) -> PairHits:
    """Every true pair, and whether it is a hit. Junk is left out, distractors count as somebody else."""
    differences, hits = [], []
    for start in range(0, len(queries.embedding), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        ids, cameras = queries.person_id[chunk, None], queries.camera_id[chunk, None]
        similarity = queries.embedding[chunk] @ gallery.embedding.T
        somebody_else = (gallery.person_id != ids) & (gallery.person_id != JUNK)
        nearest_wrong = np.where(somebody_else, similarity, -np.inf).max(axis=1, keepdims=True)
        apart = viewpoint_difference_deg(queries.heading_deg[chunk, None], gallery.heading_deg)
        pair = (gallery.person_id == ids) & (ids > 0) & (gallery.camera_id != cameras) & np.isfinite(apart)
        differences.append(apart[pair])
        hits.append((similarity > nearest_wrong)[pair])
    return PairHits(np.concatenate(differences), np.concatenate(hits))


def viewpoint_difference_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The angle between headings, 0 to 180 degrees."""
    return np.abs((first - second + 180) % 360 - 180)


@dataclass(frozen=True)
class Spread:
    """rotation: (N, Y) distance of an image's rotated views from it. nearest_other: (N,) distance of the
    nearest gallery image of somebody else."""

    rotation: np.ndarray
    nearest_other: np.ndarray

    @property
    def ratio(self) -> float:
        """Mean over mean: 0 for an encoder that does not see rotations, 1 where a turn is as far as another
        person is."""
        return float(self.rotation.mean() / self.nearest_other.mean())


def spread(images: Seen, rotated: np.ndarray, gallery: Seen) -> Spread:
    """How far the rotated views (N, Y, D) of N images are from them, beside the nearest other identity."""
    rotation = 1 - np.einsum("nyd,nd->ny", rotated, images.embedding)
    somebody_else = (gallery.person_id != images.person_id[:, None]) & (gallery.person_id != JUNK)
    similarity = np.where(somebody_else, images.embedding @ gallery.embedding.T, -np.inf)
    return Spread(rotation, 1 - similarity.max(axis=1))


def prototypes(person_id: np.ndarray, gallery: Seen) -> np.ndarray:
    """(n, D) unit rows: of each identity asked for the mean of its gallery images, NaN where it has none."""
    rows = np.full((len(person_id), gallery.embedding.shape[1]), np.nan, np.float32)
    for person in np.unique(person_id):
        if (members := gallery.person_id == person).any():
            mean = gallery.embedding[members].mean(axis=0)
            rows[person_id == person] = mean / np.linalg.norm(mean)
    return rows


def partners(person_id: np.ndarray, seed: int) -> np.ndarray:
    """(N,) for each image the position of one of somebody else, drawn at random; its own if there is none."""
    rng = numpy_rng(seed, "partners")
    chosen = []
    for position, person in enumerate(person_id):
        others = np.flatnonzero(person_id != person)
        chosen.append(int(rng.choice(others)) if len(others) else position)
    return np.array(chosen, np.int64)


def largest_changes(before: np.ndarray, after: np.ndarray, num: int) -> np.ndarray:
    """Positions of the `num` largest gains of (Q,) figures and of the `num` largest losses, each once; NaN is
    left out."""
    known = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
    order = known[np.argsort(-(after - before)[known], kind="stable")]
    return np.concatenate([order[:num], order[num:][-num:]])


def bins() -> Sequence[tuple[int, int]]:
    """The bins of viewpoints, (from, to) in degrees."""
    return [(start, start + BIN_DEG) for start in range(0, 180, BIN_DEG)]
