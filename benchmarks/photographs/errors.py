"""How far a made view is from the photograph that truly shows the person from there.

No pixel of two photographs of a walking person corresponds: legs and arms have moved between them. So two
kinds of figures stand side by side. Colours of body parts and, less so, an encoder's maps bear that; pixel
errors do not, and the controls show it. A view is moved as a whole and without scaling, so that its person's
middle lies where the true person's lies. Between true photographs this aligns better than the estimated
pelvis and size do. Maps are compared as they are: a cell is larger than such a move.

B views of H×W. Shares are of 255. All errors are (B,), NaN where a person was not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.photographs.ways import Shown, is_person
from genreid.evaluation.similarity import view_errors
from genreid.evaluation.view_colours import half_colours

_ENDS = 0.02


@dataclass(frozen=True)
class Errors:
    """colour_upper, colour_lower: mean absolute difference of mean colours above and below the waist, each
    within its own person. l1, ssim: within the true person, once the view is moved. maps: 1 − cosine of the
    encoder's maps, cell by cell, weighted by how much of a cell is the true person. Colours and l1 are on the
    scale 0 to 1.
    """

    colour_upper: np.ndarray
    colour_lower: np.ndarray
    l1: np.ndarray
    ssim: np.ndarray
    maps: np.ndarray


def errors_of(shown: Shown, true: Shown, maps: np.ndarray, true_maps: np.ndarray) -> Errors:
    """Of views, against the true photographs in their order; maps (B, D, h, w): an encoder's, of both."""
    colour = np.abs(colours(shown) - colours(true)).mean(2) / 255
    moved = shown.pictures if shown.settled else aligned(shown, true)
    pixels = view_errors(moved, true.pictures, is_person(true.share))
    apart = map_distance(maps, true_maps, true.share)
    return Errors(colour[:, 0], colour[:, 1], pixels.person_l1, pixels.person_ssim, apart)


def colours(shown: Shown) -> np.ndarray:
    """(B, 2, 3), see `half_colours`."""
    views = zip(shown.pictures, shown.share, shown.waist, strict=True)
    return np.stack([half_colours(picture, share, float(waist)) for picture, share, waist in views])


def aligned(shown: Shown, true: Shown) -> np.ndarray:
    """(B, H, W, 3): the pictures, each moved so that its person's middle is the true person's.

    What comes in at an edge repeats it; nothing moves where one of the two persons is not known.
    """
    moved = shown.pictures.copy()
    by = middles(true.share) - middles(shown.share)
    for row in np.flatnonzero(np.isfinite(by).all(1)):
        shift = np.array([[1, 0, by[row, 0]], [0, 1, by[row, 1]]])
        size = moved[row].shape[1::-1]
        moved[row] = cv2.warpAffine(shown.pictures[row], shift, size, borderMode=cv2.BORDER_REPLICATE)
    return moved


def middles(share: np.ndarray) -> np.ndarray:
    """(B, H, W) → (B, 2), x and y in pixels, NaN where nobody is: across, the mean of the person's pixels;
    down, half-way between the rows that leave 2 % of them above and below."""
    there = is_person(share).astype(np.float64)
    total = there.sum((1, 2))
    found = np.full((len(share), 2), np.nan)
    for row in np.flatnonzero(total):
        across, down = there[row].sum(0), np.cumsum(there[row].sum(1)) / total[row]
        ends = np.interp([_ENDS, 1 - _ENDS], down, np.arange(len(down)))
        found[row] = (across * np.arange(len(across))).sum() / total[row], ends.mean()
    return found


def map_distance(maps: np.ndarray, true: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(B, D, h, w) of views and of true photographs, share (B, H, W) of the latter → (B,)."""
    length = np.linalg.norm(maps, axis=1) * np.linalg.norm(true, axis=1)
    apart = 1 - (maps * true).sum(1) / np.maximum(length, 1e-12)
    cells = [
        cv2.resize(one, maps.shape[:1:-1], interpolation=cv2.INTER_AREA) for one in share.astype(np.float32)
    ]
    weight = np.stack(cells)
    total = weight.sum((1, 2))
    mean: np.ndarray = (weight * apart).sum((1, 2)) / np.where(total > 0, total, np.nan)
    return mean
