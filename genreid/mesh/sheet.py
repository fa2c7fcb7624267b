"""A sheet of crops with their bodies: laid over, and turned aside and about, where a lean shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from genreid.body.body import Body
from genreid.mesh.shards import MeshEstimates
from genreid.render.backend import Renderer
from genreid.render.sheets import GAP_PX, GROUP_GAP_PX, PAPER, beside, caption, framed, stacked
from genreid.render.views import render_views

NUM_SHOWN = 24
_PER_LINE = 4
_CELL_PX = (160, 80)  # height, width
_YAWS_DEG = (0, 90, 180)
_TINT = np.array([255, 150, 40], np.float32)
_OPACITY = 0.6


def choose_rows(found: MeshEstimates) -> np.ndarray:
    """Positions of at most `NUM_SHOWN` images that have a body, spread evenly."""
    rows = np.flatnonzero(found.valid)
    return rows[np.unique(np.linspace(0, len(rows) - 1, NUM_SHOWN).astype(np.int64))] if len(rows) else rows


def mesh_sheet(
    found: MeshEstimates, load: Callable[[int], np.ndarray], body: Body, renderer: Renderer
) -> np.ndarray:
    """Of each chosen image: crop, body laid over, turned by 90 and by 180 degrees. (H, W, 3) uint8 RGB.

    load: gives the image at a position, (h, w, 3) uint8 RGB at native size.
    """
    rows = choose_rows(found)
    if not len(rows):
        return framed(caption("no image has a body", 4 * _CELL_PX[1]), PAPER, GROUP_GAP_PX)
    crops = [load(int(row)) for row in rows]
    height, width = np.array([crop.shape[:2] for crop in crops]).T
    shown = found.select(rows)
    views = render_views(body, shown.parameters, shown.camera, height, width, _YAWS_DEG, renderer)
    groups = [_group(crop, drawn) for crop, drawn in zip(crops, views, strict=True)]
    groups += [np.full_like(groups[0], PAPER)] * (-len(groups) % _PER_LINE)
    lines = [beside([_header()] * _PER_LINE, GROUP_GAP_PX)]
    for start in range(0, len(groups), _PER_LINE):
        lines.append(beside(groups[start : start + _PER_LINE], GROUP_GAP_PX))
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)


def overlay(crop: np.ndarray, view: np.ndarray) -> np.ndarray:
    """The crop (h, w, 3) with a drawn body (h, w), 0 where there is none, laid over it in orange."""
    light = view[..., None].astype(np.float32) / 255 * _TINT
    mixed = (1 - _OPACITY) * crop + _OPACITY * light
    return np.where(view[..., None] > 0, mixed, crop).round().astype(np.uint8)


def _group(crop: np.ndarray, views: Sequence[np.ndarray]) -> np.ndarray:
    pictures = [crop, overlay(crop, views[0])]
    pictures += [np.repeat(view[..., None], 3, axis=2) for view in views[1:]]
    return beside([_fitted(picture) for picture in pictures], GAP_PX)


def _header() -> np.ndarray:
    return beside([caption(name, _CELL_PX[1]) for name in ("image", "body", "+90", "180")], GAP_PX)


def _fitted(picture: np.ndarray) -> np.ndarray:
    """The picture as large as it fits into a cell, in its middle."""
    height, width = picture.shape[:2]
    factor = min(_CELL_PX[0] / height, _CELL_PX[1] / width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    cell = np.full((*_CELL_PX, 3), PAPER, np.uint8)
    top, left = (_CELL_PX[0] - size[1]) // 2, (_CELL_PX[1] - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=how)
    return cell
