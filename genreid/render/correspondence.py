"""Where the surface that one view of a body sees is to be found in another view of it.

All views of a body draw the same triangles, so what a pixel sees, a triangle and a place on it, names a point
of the surface. It is seen in the other view too if it faces the camera there and nothing stands before it.
The camera stays where it is when a body turns, so what neither body hides is the same street in both views.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from genreid.errors import GenreidError
from genreid.render.shading import vertex_normals
from genreid.render.zbuffer import Fragments

STEPS_PER_PX = 16
"""Resolution of places that are kept."""

_TOLERANCE_M = 0.03  # a pixel of a crop is 1 to 2 cm, and a surface seen aslant is deeper at the pixel's edge
_CLOTHES = 0.05  # of the height: how far clothes and bags may stand out from the body
_LEAST_FACING = 0.15  # cosine; what is seen more aslant fills hardly a pixel


@dataclass(frozen=True)
class BodyView:
    """A posed body as one view sees it. V vertices.

    fragments: what the pixels see. points: (V, 3) [u_px, v_px, depth in metres]. facing: (V,) cosine between
    the surface's outward normal and the way to the camera.
    """

    fragments: Fragments
    points: np.ndarray
    facing: np.ndarray

    @classmethod
    def of(
        cls, fragments: Fragments, points: np.ndarray, vertices: np.ndarray, faces: np.ndarray
    ) -> BodyView:
        """vertices: (V, 3) in the camera frame, z away from the camera."""
        return cls(fragments, points, -vertex_normals(vertices, faces)[:, 2])


@dataclass(frozen=True)
class Correspondence:
    """What a rotated view and an image's own view of the same body have in common.

    source: (H, W, 2) float32 [u_px, v_px], the place in the own view of what each pixel of the rotated view
    sees, the body's surface or, well outside both bodies, the street; NaN where the own view does not see it.
    shared: (H, W) bool, pixels of the own view that show what the rotated view sees too.
    """

    source: np.ndarray
    shared: np.ndarray

    @classmethod
    def between(cls, rotated: BodyView, own: BodyView, faces: np.ndarray) -> Correspondence:
        source, back = find(rotated, own, faces), find(own, rotated, faces)
        street = ~_around(rotated.fragments.covered | own.fragments.covered)
        row, column = np.nonzero(street)
        source[row, column] = np.column_stack([column, row]) + 0.5
        return cls(source, np.isfinite(back[..., 0]) | street)


def find(seen: BodyView, other: BodyView, faces: np.ndarray) -> np.ndarray:
    """Where `other` sees what each pixel of `seen` sees: (H, W, 2) float32 [u_px, v_px], NaN if it does not.

    faces: (F, 3) corners of the triangles.
    """
    depth = other.fragments.depth
    height, width = depth.shape
    looked_up = np.column_stack([other.points, other.facing])
    u, v, distance, facing = seen.fragments.interpolate(looked_up, faces).T
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    nearest = depth[row.clip(0, height - 1), column.clip(0, width - 1)]
    in_sight = np.isfinite(nearest) & (distance <= nearest + _TOLERANCE_M) & (facing > _LEAST_FACING)
    places = np.full((*seen.fragments.depth.shape, 2), np.nan, np.float32)
    found = (inside & in_sight)[:, None]
    places[seen.fragments.covered] = np.where(found, np.column_stack([u, v]), np.nan)
    return places


def _around(covered: np.ndarray) -> np.ndarray:
    """(H, W) bool: a body and what it may wear."""
    reach = round(_CLOTHES * len(covered))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(covered.astype(np.uint8), disc).astype(bool)


def encode_source(source: np.ndarray) -> bytes:
    """`Correspondence.source` as a 16-bit PNG (2·H, W): u above v, in 16ths of a pixel plus 1, 0 for NaN."""
    steps = np.nan_to_num(np.rint(source * STEPS_PER_PX) + 1, nan=0.0)
    stacked = np.concatenate([steps[..., 0], steps[..., 1]])
    assert stacked.max(initial=0) <= np.iinfo(np.uint16).max, stacked.max()
    done, encoded = cv2.imencode(".png", stacked.astype(np.uint16))
    assert done, source.shape
    return bytes(encoded)


def decode_source(png: bytes) -> np.ndarray:
    """The inverse of `encode_source`, to a 32nd of a pixel.

    Raises:
        GenreidError: it is no such picture.
    """
    steps = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png else None
    if steps is None or steps.dtype != np.uint16 or steps.ndim != 2 or len(steps) % 2:
        raise GenreidError(f"{len(png)} bytes are no picture of places in another view")
    places = np.stack(np.split(steps.astype(np.float32), 2), axis=2)
    return np.where(places > 0, (places - 1) / STEPS_PER_PX, np.nan).astype(np.float32)
