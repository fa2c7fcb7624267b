"""The sheet of generated views: what stands where."""

from __future__ import annotations

import numpy as np
import pytest

from genreid.errors import GenreidError
from genreid.render.sheets import (
    CAPTION_PX,
    GAP_PX,
    GROUP_GAP_PX,
    GenerationRow,
    caption,
    enlargement,
    framed,
    generation_sheet,
)

YAWS_DEG = (45, 90, 180)
LAMBDAS = (0.0, 1.0)


def _flat(value: int) -> np.ndarray:
    return np.full((64, 32, 3), value, np.uint8)


def _row(with_true: bool) -> GenerationRow:
    return GenerationRow(
        image=_flat(10),
        mesh=_flat(20)[..., 0],
        reconstruction=_flat(30),
        rotated=[_flat(41), _flat(42), _flat(43)],
        mixed=[_flat(51), _flat(52)],
        true=[_flat(61), _flat(62), _flat(63)] if with_true else None,
    )


def _centres(sheet: np.ndarray, line: int) -> list[int]:
    """The grey in the middle of every cell of a line of 32×64 pictures enlarged three times."""
    y = GROUP_GAP_PX + 2 * CAPTION_PX + GAP_PX + line * (3 * 64 + GAP_PX) + 96
    x, values = GROUP_GAP_PX, []
    for count in (3, len(YAWS_DEG), len(LAMBDAS)):
        for _ in range(count):
            values.append(int(sheet[y, x + 48, 0]))
            x += 96 + GAP_PX
        x += GROUP_GAP_PX - GAP_PX
    return values


def test_every_picture_stands_in_its_column_and_true_views_below_the_painted_ones() -> None:
    sheet = generation_sheet([_row(True), _row(False)], YAWS_DEG, LAMBDAS)
    painted = [10, 20, 30, 41, 42, 43, 51, 52]
    assert sheet.dtype == np.uint8
    assert _centres(sheet, 0) == painted
    below = _centres(sheet, 1)
    assert below[3:6] == [61, 62, 63]
    assert below[6:] == [255, 255]
    assert _centres(sheet, 2) == painted


def test_columns_carry_captions() -> None:
    sheet = generation_sheet([_row(False)], YAWS_DEG, LAMBDAS)
    header = sheet[GROUP_GAP_PX + CAPTION_PX : GROUP_GAP_PX + 2 * CAPTION_PX]
    for column in range(3):
        left = GROUP_GAP_PX + column * (96 + GAP_PX)
        assert (header[:, left : left + 96] < 128).any()


def test_a_caption_fits_its_strip() -> None:
    strip = caption("a text far too long for so little room", 60)
    assert strip.shape == (CAPTION_PX, 60, 3)
    assert (strip < 255).any()
    assert (strip[:, 0] == 255).all() and (strip[:, -1] == 255).all()


def test_small_pictures_are_enlarged_and_large_ones_are_not() -> None:
    assert [enlargement(width) for width in (16, 32, 64, 128, 500)] == [4, 3, 2, 1, 1]


def test_a_frame_surrounds_the_picture() -> None:
    picture = framed(_flat(7), (0, 255, 0), 2)
    assert picture.shape == (68, 36, 3)
    assert (picture[0, 0] == [0, 255, 0]).all() and (picture[-1, -1] == [0, 255, 0]).all()
    assert (picture[2:-2, 2:-2] == 7).all()


def test_rows_without_a_picture_for_each_yaw_are_refused() -> None:
    with pytest.raises(GenreidError, match="3 rotated, 2 mixed and 3 true views; expected 2, 2 and 2"):
        generation_sheet([_row(True)], (45, 90), LAMBDAS)
    with pytest.raises(GenreidError, match="at least one image"):
        generation_sheet([], YAWS_DEG, LAMBDAS)
