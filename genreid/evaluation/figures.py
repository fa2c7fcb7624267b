"""Pictures of a run: generated views beside true ones, ranked lists. All uint8 RGB (H,W,3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from genreid.errors import GenreidError
from genreid.evaluation.generation import Painter, ViewedImages
from genreid.evaluation.ranked_lists import RankedLists
from genreid.render.sheets import (
    GAP_PX,
    GROUP_GAP_PX,
    PAPER,
    GenerationRow,
    beside,
    caption,
    enlarge,
    enlargement,
    framed,
    generation_sheet,
    stacked,
)

LAMBDAS = (0.0, 0.25, 0.5, 0.75, 1.0)

RIGHT = (30, 160, 60)
WRONG = (205, 45, 45)
QUERY = (60, 60, 60)
_FRAME_PX = 4


def generation_picture(painter: Painter, viewed: ViewedImages, index: np.ndarray) -> np.ndarray:
    """The images at `index` (B,): mesh, reconstruction, rotated views, mixtures, and true views where known.

    Each image is mixed with the next one of the sheet, the last with the first, at the weights LAMBDAS.
    """
    images, meshes = viewed.images.load(index), viewed.meshes(index, 0)
    codes = painter.appearance(images)
    rebuilt = painter.paint(viewed.shown(index, 0), codes)
    rotated = [painter.paint(viewed.shown(index, yaw_deg), codes) for yaw_deg in viewed.yaws_deg]
    mixed = [viewed.mixed(painter, index, np.roll(index, -1), weight) for weight in LAMBDAS]
    true = [viewed.true_views(index, yaw_deg)[0] for yaw_deg in viewed.yaws_deg] if viewed.has_truth else None
    rows = [
        GenerationRow(
            image=images[i],
            mesh=meshes[i],
            reconstruction=rebuilt[i],
            rotated=[pictures[i] for pictures in rotated],
            mixed=[pictures[i] for pictures in mixed],
            true=None if true is None else [pictures[i] for pictures in true],
        )
        for i in range(len(index))
    ]
    return generation_sheet(rows, viewed.yaws_deg, LAMBDAS)


def ranked_lists_picture(
    queries: Sequence[np.ndarray],
    lists: RankedLists,
    load_gallery: Callable[[np.ndarray], np.ndarray],
    known: np.ndarray | None = None,
    notes: Sequence[str] | None = None,
) -> np.ndarray:
    """One row a query: the query, then the head of its list; the same person framed in green, others in red.

    Below each picture stands its cosine similarity. queries: Q pictures of one size. lists: Q rows of k.
    load_gallery: gallery positions (B,) → pictures (B,H,W,3) of the queries' size. known: (Q,) bool, whether
    a query's identity is; where it is not, nobody can say what is right, and all frames are grey. notes: Q
    lines that stand below the queries.
    """
    if len(queries) == 0 or len(queries) != len(lists.index):
        raise GenreidError(
            "a picture of ranked lists needs as many queries as lists, at least one; "
            f"got {len(queries)} queries, {len(lists.index)} lists"
        )
    width_px = enlargement(queries[0].shape[1]) * queries[0].shape[1] + 2 * _FRAME_PX
    places = [str(place) for place in range(1, lists.index.shape[1] + 1)]
    lines = [_spread([caption(name, width_px) for name in ("query", *places)])]
    for i, query in enumerate(queries):
        found = lists.index[i][lists.index[i] >= 0]  # −1 past the end of a short list
        cells = [_cell(query, QUERY, notes[i] if notes else "")]
        for picture, same, cosine in zip(
            load_gallery(found), lists.is_match[i], lists.similarity[i], strict=False
        ):
            colour = RIGHT if same else WRONG
            cells.append(_cell(picture, colour if known is None or known[i] else QUERY, f"{cosine:.2f}"))
        cells += [np.full_like(cells[0], PAPER)] * (1 + len(places) - len(cells))
        lines.append(_spread(cells))
    return framed(stacked(lines, GAP_PX), PAPER, GROUP_GAP_PX)


def _cell(picture: np.ndarray, colour: tuple[int, int, int], note: str) -> np.ndarray:
    """The picture, enlarged and framed, with a note below."""
    shown = framed(enlarge(picture, enlargement(picture.shape[1])), colour, _FRAME_PX)
    return stacked([shown, caption(note, shown.shape[1])], 0)


def _spread(cells: Sequence[np.ndarray]) -> np.ndarray:
    """The query, a wider gap, then the list."""
    return beside([cells[0], beside(cells[1:], GAP_PX)], GROUP_GAP_PX)
