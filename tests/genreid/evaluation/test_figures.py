"""Pictures of a run: what stands where, which frame is green."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genreid.errors import GenreidError
from genreid.evaluation.figures import (
    LAMBDAS,
    QUERY,
    RIGHT,
    WRONG,
    generation_picture,
    ranked_lists_picture,
)
from genreid.evaluation.generation import ViewedImages
from genreid.evaluation.ranked_lists import RankedLists
from genreid.render.sheets import CAPTION_PX, GAP_PX, GROUP_GAP_PX, PAPER, caption
from tests.genreid.evaluation.test_generation import Images, StubPainter, Views, _true_view, mesh_grey

FRAME_PX = 4
CELL_WIDTH, CELL_HEIGHT = 96 + 2 * FRAME_PX, 192 + 2 * FRAME_PX + CAPTION_PX


def _flat(value: int) -> np.ndarray:
    return np.full((64, 32, 3), value, np.uint8)


def _cell(picture: np.ndarray, line: int, column: int) -> np.ndarray:
    """The framed picture of a line and column (0: the query), its note left out."""
    top = GROUP_GAP_PX + CAPTION_PX + GAP_PX + line * (CELL_HEIGHT + GAP_PX)
    left = GROUP_GAP_PX + column * (CELL_WIDTH + GAP_PX) + (GROUP_GAP_PX - GAP_PX if column else 0)
    return picture[top : top + CELL_HEIGHT - CAPTION_PX, left : left + CELL_WIDTH]


@pytest.fixture
def lists() -> RankedLists:
    return RankedLists(
        index=np.array([[4, 2, 0], [1, -1, -1]]),
        is_match=np.array([[True, False, True], [False, False, False]]),
        similarity=np.array([[0.9, 0.8, 0.7], [0.5, -np.inf, -np.inf]], np.float32),
    )


def test_queries_lists_and_frames_stand_in_their_places(lists: RankedLists) -> None:
    picture = ranked_lists_picture(
        [_flat(101), _flat(102)], lists, lambda index: np.stack([_flat(10 * int(i)) for i in index])
    )
    assert picture.dtype == np.uint8
    for line, query in enumerate((101, 102)):
        assert (_cell(picture, line, 0)[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX] == query).all()
    for column, (value, colour) in enumerate([(40, RIGHT), (20, WRONG), (0, RIGHT)], start=1):
        cell = _cell(picture, 0, column)
        assert (cell[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX] == value).all()
        assert (cell[0] == colour).all() and (cell[:, -1] == colour).all()
    assert (_cell(picture, 1, 1)[0] == WRONG).all()


def test_names_stand_above_their_columns(lists: RankedLists) -> None:
    picture = ranked_lists_picture(
        [_flat(101), _flat(102)], lists, lambda index: np.stack([_flat(0)] * len(index))
    )
    for column, name in enumerate(["query", "1", "2", "3"]):
        left = GROUP_GAP_PX + column * (CELL_WIDTH + GAP_PX) + (GROUP_GAP_PX - GAP_PX if column else 0)
        above = picture[GROUP_GAP_PX : GROUP_GAP_PX + CAPTION_PX, left : left + CELL_WIDTH]
        np.testing.assert_array_equal(above, caption(name, CELL_WIDTH))


def test_a_query_that_finds_nobody_has_a_line_of_empty_places() -> None:
    nobody = RankedLists(np.full((1, 3), -1), np.zeros((1, 3), bool), np.full((1, 3), -np.inf, np.float32))
    picture = ranked_lists_picture([_flat(101)], nobody, lambda index: np.empty((0, 64, 32, 3), np.uint8))
    assert all((_cell(picture, 0, column) == PAPER).all() for column in (1, 2, 3))
    assert (_cell(picture, 0, 0)[0] == QUERY).all()


def test_frames_are_grey_where_the_identity_is_unknown(lists: RankedLists) -> None:
    picture = ranked_lists_picture(
        [_flat(101), _flat(102)],
        lists,
        lambda index: np.stack([_flat(10 * int(i)) for i in index]),
        np.array([True, False]),
    )
    assert (_cell(picture, 0, 1)[0] == RIGHT).all() and (_cell(picture, 1, 1)[0] == QUERY).all()
    assert len(set(QUERY)) == 1


def test_a_short_list_ends_in_empty_places(lists: RankedLists) -> None:
    picture = ranked_lists_picture(
        [_flat(101), _flat(102)], lists, lambda index: np.stack([_flat(10 * int(i)) for i in index])
    )
    assert (_cell(picture, 1, 2) == PAPER).all() and (_cell(picture, 1, 3) == PAPER).all()
    assert picture.shape[1] == 4 * CELL_WIDTH + 2 * GAP_PX + 3 * GROUP_GAP_PX, "and no further ones"


def test_notes_stand_below_their_queries(lists: RankedLists) -> None:
    queries = [_flat(101), _flat(102)]

    def load(index: np.ndarray) -> np.ndarray:
        return np.stack([_flat(10 * int(i)) for i in index])

    plain, noted = (
        ranked_lists_picture(queries, lists, load, notes=notes) for notes in (None, ["", "AP 12"])
    )
    changed = np.argwhere((plain != noted).any(axis=2))
    assert len(changed) > 20
    top = GROUP_GAP_PX + CAPTION_PX + 2 * GAP_PX + 2 * CELL_HEIGHT - CAPTION_PX
    assert changed[:, 0].min() >= top and changed[:, 1].max() < GROUP_GAP_PX + CELL_WIDTH


def test_green_and_red_differ_for_those_who_see_no_red_and_green() -> None:
    """A frame's brightness (Rec. 601) tells the two apart too."""
    weights = np.array([0.299, 0.587, 0.114])
    assert abs(weights @ RIGHT - weights @ WRONG) > 15


def test_queries_without_lists_are_refused(lists: RankedLists) -> None:
    with pytest.raises(GenreidError, match="got 1 queries, 2 lists"):
        ranked_lists_picture([_flat(1)], lists, lambda index: np.empty((0, 64, 32, 3), np.uint8))


def test_generated_views_are_painted_from_their_own_image_and_mixed_with_the_next() -> None:
    viewed = ViewedImages(Images(), Views(), _true_view)  # type: ignore[arg-type]
    sheet = generation_picture(StubPainter(), viewed, np.array([0, 4]))  # type: ignore[arg-type]
    greys = _centres(sheet, 0, (3, 2, len(LAMBDAS)))
    own, other = 10, 50
    mixed = [round(weight * own + (1 - weight) * other) for weight in LAMBDAS]
    assert greys == [own, 0, own, own + 9, own + 18, *mixed]
    assert _centres(sheet, 1, (3, 2))[3:] == [0 + 4, 0 + 9]
    mesh = mesh_grey(4, 0)
    assert _centres(sheet, 2, (3, 2, 1)) == [50, mesh, 50 + mesh, 59 + mesh, 68 + mesh, 10 + mesh]
    assert torch.is_grad_enabled()


def _centres(sheet: np.ndarray, line: int, groups: tuple[int, ...]) -> list[int]:
    """The grey in the middle of the pictures of a line (off the stub's stripes)."""
    y = GROUP_GAP_PX + 2 * CAPTION_PX + GAP_PX + line * (192 + GAP_PX) + 108
    x, values = GROUP_GAP_PX, []
    for count in groups:
        values += [int(sheet[y, x + i * (96 + GAP_PX) + 48, 0]) for i in range(count)]
        x += count * (96 + GAP_PX) - GAP_PX + GROUP_GAP_PX
    return values
