"""The colours of a whole body, from an image that shows one side of it.

V vertices; an image (h, w, 3) uint8 RGB at its native size, which is the size of the body's view.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from genreid.render.look import BodyView
from genreid.warping.surface import Surface

_FACING = (0.4, 0.7)
_HAIR_FACING = (0.1, 0.3)  # from the front, a crown is seen aslant or not at all
_NOTHING_BEFORE_M = (
    0.03  # a pixel of a crop is 1 to 2 cm, and a surface seen aslant is deeper at the pixel's edge
)
_LEAST_SEEN = 0.25
_NUM_LENDERS = 16
_NEAREST_M = 0.005
_GUESS_M = 0.15


@dataclass(frozen=True)
class Texture:
    """A colour for every vertex, and how it is known. Shares of 255; what is neither is guessed.

    colour: (V, 3) uint8 RGB. seen: (V,) uint8, how far it is the image's own. filled: (V,) uint8, how far it
    is that of seen surface nearby.
    """

    colour: np.ndarray
    seen: np.ndarray
    filled: np.ndarray


def take_texture(
    image: np.ndarray, view: BodyView, surface: Surface, mask: np.ndarray | None = None
) -> Texture:
    """What the image shows of the body, and for all else what lies nearest of that (docs/method.md, Views by
    warping).

    view: the body from the image's own viewpoint. mask: (h, w) uint8, how surely a pixel shows the person, of
    255; None where nobody knows, and the body's own outline stands for it.

    A vertex is seen as far as it faces the camera, nothing lies before it and the mask holds there; it keeps
    that share of its own colour, so that seen and filled surface meet without a seam.
    """
    points = view.points.astype(np.float32)
    seen = _seen_in(view, surface)
    u, v = points[None, :, 0] - 0.5, points[None, :, 1] - 0.5  # OpenCV has pixel centres at whole numbers
    own = cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0].astype(np.float32)
    if mask is not None:
        there = cv2.remap(mask, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)[0] / np.float32(255)
        seen = seen * there.astype(np.float32)
    if not (seen > _LEAST_SEEN).any():
        covered = view.fragments.covered
        return _guess(image[covered].mean(0) if covered.any() else image.mean((0, 1)), len(points))
    return _filled(own, seen, surface)


def restrict_texture(texture: Texture, view: BodyView, surface: Surface) -> Texture:
    """The texture as if the image had shown no more than what a second view of the body sees too; all else is
    filled again from that.

    view: the body from another side.
    """
    own = texture.colour.astype(np.float32)
    both = np.minimum(texture.seen / np.float32(255), _seen_in(view, surface))
    if not (both > _LEAST_SEEN).any():
        return _guess(own.mean(0), len(own))
    return _filled(own, both, surface)


def _filled(own: np.ndarray, seen: np.ndarray, surface: Surface) -> Texture:
    """What is seen (V,) keeps its own colour (V, 3) by that share; the rest is borrowed."""
    colour, near = own.copy(), np.zeros(len(own), np.float32)
    _borrow(own, seen, surface.neighbour, surface.distance_m, colour, near)
    hidden = 1 - seen
    shares = np.rint(255 * np.stack([seen, hidden * np.clip(1 - near / _GUESS_M, 0, 1)]))
    return Texture(np.rint(colour).astype(np.uint8), *shares.astype(np.uint8))


def _guess(mean: np.ndarray, num: int) -> Texture:
    """One colour (3,) all over: nothing that is sure is seen of the person."""
    nothing = np.zeros(num, np.uint8)
    return Texture(np.tile(np.rint(mean).astype(np.uint8), (num, 1)), nothing, nothing)


def _seen_in(view: BodyView, surface: Surface) -> np.ndarray:
    """(V,) float32: how far each vertex faces the camera; 0 outside the view and behind something else."""
    points, facing = view.points.astype(np.float32), view.facing.astype(np.float32)
    shown = _shown(points, view.fragments.depth)
    least, most = (np.where(surface.hair, *pair) for pair in zip(_HAIR_FACING, _FACING, strict=True))
    turned_to = np.clip((facing - least) / (most - least), 0, 1)
    return np.where(shown, turned_to, 0).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _shown(points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(V,) bool: which vertices lie in the view with nothing before them."""
    height, width = depth.shape
    shown = np.zeros(len(points), np.bool_)
    for vertex in range(len(points)):
        u, v, distance = points[vertex]
        if 0.0 <= u < width and 0.0 <= v < height:
            nearest = depth[int(v), int(u)]
            shown[vertex] = np.isfinite(nearest) and distance <= nearest + _NOTHING_BEFORE_M
    return shown


@numba.njit(cache=True, nogil=True)
def _borrow(
    own: np.ndarray,
    seen: np.ndarray,
    neighbour: np.ndarray,
    distance_m: np.ndarray,
    colour: np.ndarray,
    near_m: np.ndarray,
) -> None:
    """Fill in `colour` (V, 3) what is not wholly seen, from the nearest that is, by inverse square distance
    (Shepard 1968); `near_m` (V,) is how far the first of them lies, and infinite where none is in reach."""
    mean = _mean_seen(own, seen)
    lent = np.empty(3, np.float32)
    for vertex in range(len(own)):
        if seen[vertex] >= 1.0:
            continue
        lent[:] = 0.0
        total = np.float32(0.0)
        num = 0
        for place in range(neighbour.shape[1]):
            lender = neighbour[vertex, place]
            if seen[lender] <= _LEAST_SEEN:
                continue
            apart = max(distance_m[vertex, place], _NEAREST_M)
            if num == 0:
                near_m[vertex] = apart
            weight = seen[lender] / (apart * apart)
            total += weight
            for channel in range(3):
                lent[channel] += weight * own[lender, channel]
            num += 1
            if num == _NUM_LENDERS:
                break
        if num == 0:
            near_m[vertex] = np.inf
            lent[:], total = mean, np.float32(1.0)
        for channel in range(3):
            part = seen[vertex] * own[vertex, channel]
            colour[vertex, channel] = part + (1 - seen[vertex]) * lent[channel] / total


@numba.njit(cache=True, nogil=True)
def _mean_seen(own: np.ndarray, seen: np.ndarray) -> np.ndarray:
    mean = np.zeros(3, np.float32)
    total = np.float32(0.0)
    for vertex in range(len(own)):
        if seen[vertex] > _LEAST_SEEN:
            total += seen[vertex]
            for channel in range(3):
                mean[channel] += seen[vertex] * own[vertex, channel]
    return mean / total
