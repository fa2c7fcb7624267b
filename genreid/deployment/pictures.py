"""Pictures of what was found and made, for people: uint8 RGB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genreid.deployment.views import LAMBDAS, GeneratedSet
from genreid.render.sheets import (
    GAP_PX,
    GROUP_GAP_PX,
    PAPER,
    beside,
    caption,
    enlarge,
    enlargement,
    framed,
    stacked,
)

_QUERY = (60, 60, 60)
_FOUND = (190, 190, 190)
_FRAME_PX = 4
_TITLE_PX = 240


def search_picture(query: np.ndarray, found: Sequence[np.ndarray], similarity: Sequence[float]) -> np.ndarray:
    """The query, then what was found, each with its rank and cosine similarity; all of one size (H,W,3)."""
    cells = [_cell(query, "query", "", _QUERY)]
    for rank, (picture, cosine) in enumerate(zip(found, similarity, strict=True), start=1):
        cells.append(_cell(picture, str(rank), f"{cosine:.2f}", _FOUND))
    line = beside([cells[0], beside(cells[1:], GAP_PX)], GROUP_GAP_PX)
    return framed(line, PAPER, GROUP_GAP_PX)


def groups_picture(groups: Sequence[tuple[str, Sequence[tuple[np.ndarray, float]]]]) -> np.ndarray:
    """A line a group: its name above its images, each with its confidence; images of one size (H,W,3)."""
    lines = []
    for name, images in groups:
        line = beside([_cell(image, "", f"{sure:.2f}", _FOUND) for image, sure in images], GAP_PX)
        title = caption(name, max(line.shape[1], _TITLE_PX))
        lines.append(stacked([title, line], 0))
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)


def views_picture(made: GeneratedSet) -> np.ndarray:
    """Image, mesh and reconstruction beside the rotated views over their meshes; mixtures below them."""
    turned = [f"{yaw}°".replace("°", " deg") for yaw in made.mesh.yaws_deg[1:]]
    own = _line([made.image, made.mesh.views[0], made.reconstruction], ["image", "mesh", "rebuilt"])
    rotated = _line(list(made.rotated), turned)
    meshes = _line(list(made.mesh.views[1:]), [])
    nothing = np.full((meshes.shape[0], own.shape[1], 3), PAPER, np.uint8)
    lines = [beside([own, rotated], GROUP_GAP_PX), beside([nothing, meshes], GROUP_GAP_PX)]
    if made.mixed is not None and made.other is not None:
        names = [f"own {weight:g}" for weight in LAMBDAS]
        mixed = beside([_line([made.other], ["other"]), _line(list(made.mixed), names)], GROUP_GAP_PX)
        lines.append(mixed)
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)


def _line(pictures: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Pictures side by side, enlarged, each below its name."""
    shown = [enlarge(picture, enlargement(picture.shape[1])) for picture in pictures]
    if names:
        shown = [
            stacked([caption(name, one.shape[1]), one], 0) for name, one in zip(names, shown, strict=True)
        ]
    return beside(shown, GAP_PX)


def _cell(picture: np.ndarray, above: str, below: str, colour: tuple[int, int, int]) -> np.ndarray:
    shown = framed(enlarge(picture, enlargement(picture.shape[1])), colour, _FRAME_PX)
    width = shown.shape[1]
    return stacked([caption(above, width), shown, caption(below, width)], 0)
