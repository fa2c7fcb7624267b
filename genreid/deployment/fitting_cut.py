"""The false match rate that fits a folder: from how many of its pairs are of one person, without labels.

Beyond the paper. A cut that lets one in two hundred pairs of strangers through is good for ten thousand
images of some hundred persons, where an image's neighbours keep strangers apart. Of 150 images with a fellow
or two each, it lets in more strangers than there are pairs of one person.

N images, D embedding width, T cuts.
"""

from __future__ import annotations

import numpy as np

from genreid.evaluation.matches import CUTS, MOST_IMAGES, MatchCurve
from genreid.seeding import numpy_rng

_FALSE_TO_SAME = 0.12
"""How many pairs of strangers may pass for each pair of one person, where images have few fellows."""
_FEW = 2
"""Fellows (other images of its person) of an image, above which more pass, as many times as it has more."""
_SPREAD = 1.5
"""Width of the kernel that smooths counted pairs, in steps of CUTS."""
_START, _ROUNDS = 0.01, 500
_BLOCK = 512
_PERSONS_A_GROUP = 2.0
"""How many times more or fewer persons there may be than groups; chosen on random parts of validation
identities (docs/notes/2026-11-29_grouping.md)."""


def same_share(rows: np.ndarray, camera: np.ndarray | None, curve: MatchCurve, *, seed: int) -> float:
    """The share of pairs that are of one person, 0 to 1, by their similarities alone.

    Pairs of one person and pairs of strangers are as alike as `curve` has counted elsewhere; the share is
    that which makes the similarities here the likeliest (EM for new prior probabilities: Saerens et al. 2002,
    2.2). rows: (N, D) float32 unit rows; of more than MOST_IMAGES, some are drawn. camera: (N,) int, or None
    where nobody knows; with cameras, pairs of two cameras count, as in `curve`, if there are any.
    """
    if len(rows) > MOST_IMAGES:
        drawn = numpy_rng(seed, "pairs").choice(len(rows), MOST_IMAGES, replace=False)
        rows, camera = rows[drawn], None if camera is None else camera[drawn]
    if camera is not None and len(np.unique(camera)) < 2:
        camera = None
    found = _counted(rows, camera)
    if not found.sum():
        return 0.0
    same, strangers = (
        _smooth(np.diff(curve.miss_rate, append=1)),
        _smooth(-np.diff(curve.false_match_rate, append=0)),
    )
    share = _START
    for _ in range(_ROUNDS):
        likely = share * same
        share = float(found @ (likely / (likely + (1 - share) * strangers)) / found.sum())
    return share


def fitting_rate(share: float, num_images: int) -> float:
    """The false match rate for a folder of N images of whose pairs `share` are of one person.

    Both constants were chosen on validation identities (docs/results.md, Whose images are whose).
    """
    return _FALSE_TO_SAME * share * max(1.0, share * (num_images - 1) / _FEW)


def fitting_cut(rows: np.ndarray, camera: np.ndarray | None, curve: MatchCurve, *, seed: int) -> float:
    """The cosine of `fitting_rate`, or of the lowest rate that `curve` can tell; as `same_share`."""
    rate = fitting_rate(same_share(rows, camera, curve, seed=seed), len(rows))
    return curve.cut_at(max(rate, 1 / curve.num_different))


def likely_persons(num_groups: int, num_images: int) -> tuple[int, int]:
    """The fewest and the most persons that N images likely show, where `fitting_cut` makes so many groups.

    Two sides of one person stay apart, and strangers who are dressed alike become one: there are more groups
    than persons where persons have many images, and may be fewer where they have few.
    """
    least = int(np.ceil(num_groups / _PERSONS_A_GROUP))
    return min(least, num_images), min(int(num_groups * _PERSONS_A_GROUP), num_images)


def _counted(rows: np.ndarray, camera: np.ndarray | None) -> np.ndarray:
    """(T,) how many pairs are at least as alike as each cut, and less than the next."""
    counts = np.zeros(len(CUTS), np.int64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarity = rows[block] @ rows[start:].T
        chosen = np.triu(np.ones(similarity.shape, bool), 1)
        if camera is not None:
            chosen &= camera[block, None] != camera[None, start:]
        place = np.searchsorted(CUTS, similarity[chosen], side="right") - 1
        counts += np.bincount(np.maximum(place, 0), minlength=len(CUTS))
    return counts


def _smooth(density: np.ndarray) -> np.ndarray:
    """Nowhere 0, so that nothing here is impossible that was not met where pairs were counted."""
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / _SPREAD) ** 2)
    smooth = np.convolve(density, kernel / kernel.sum(), "same") + 1e-9
    return smooth / smooth.sum()
