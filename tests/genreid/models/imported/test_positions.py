"""Position embeddings: which pictures they are of, and resizing, against loops and numbers by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genreid.errors import GenreidError
from genreid.models.imported.positions import SIZES_PX, STRIDES, Grid, grid_of, resized


@pytest.mark.parametrize(
    ("num", "expected"),
    [
        (128, Grid(256, 128, 16, 16)),  # 16 × 8
        (210, Grid(256, 128, 16, 12)),  # (256 − 16) / 12 + 1 = 21, (128 − 16) / 12 + 1 = 10
        (192, Grid(384, 128, 16, 16)),
        (196, Grid(224, 224, 16, 16)),
        (288, Grid(384, 192, 16, 16)),
        (162, Grid(256, 128, 16, 14)),  # 18 × 9
        (242, Grid(256, 128, 16, 11)),  # 22 × 11
    ],
)
def test_usual_pictures_are_told_by_the_number_of_positions(num: int, expected: Grid) -> None:
    assert grid_of(num, 16, None, "vit.pth") == expected


def test_no_two_usual_pictures_have_the_same_number() -> None:
    grids = [Grid(*size, 16, round(16 * share)) for size in SIZES_PX for share in STRIDES]
    assert len({grid.num for grid in grids}) == len(grids) == 16


def test_what_the_user_says_is_taken_where_it_has_the_number() -> None:
    wanted = Grid(128, 256, 16, 16)  # as many patches as 256×128
    assert grid_of(128, 16, wanted, "vit.pth") is wanted
    assert grid_of(192, 16, wanted, "vit.pth") == Grid(384, 128, 16, 16)
    with pytest.raises(GenreidError, match=r"vit.pth: its 7 position embeddings fit no usual size") as caught:
        grid_of(7, 16, wanted, "vit.pth")
    assert "\n" not in str(caught.value)


def naive(positions: Tensor, old: Grid, new: Grid) -> Tensor:
    """Bilinear between the middles of pixels, each new one by itself; edges are carried on."""
    (rows, columns), (new_rows, new_columns) = old.rows_and_columns, new.rows_and_columns
    grid, found = positions[0].reshape(rows, columns, -1), []
    for row in range(new_rows):
        for column in range(new_columns):
            y = max((row + 0.5) * rows / new_rows - 0.5, 0)
            x = max((column + 0.5) * columns / new_columns - 0.5, 0)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            down, across = y - top, x - left
            above = (1 - across) * grid[top, left] + across * grid[top, right]
            below = (1 - across) * grid[bottom, left] + across * grid[bottom, right]
            found.append((1 - down) * above + down * below)
    return torch.stack(found)[None]


@pytest.mark.parametrize("new", [Grid(384, 128, 16, 12), Grid(64, 48, 16, 16), Grid(256, 128, 16, 11)])
def test_resizing_is_bilinear(new: Grid) -> None:
    old = Grid(256, 128, 16, 16)
    positions = torch.randn(1, old.num, 5)
    torch.testing.assert_close(resized(positions, old, new), naive(positions, old, new), atol=1e-5, rtol=1e-5)


def test_positions_of_the_same_pictures_stay_as_they_are() -> None:
    positions, grid = torch.randn(1, 128, 5), Grid(256, 128, 16, 16)
    assert resized(positions, grid, Grid(256, 128, 16, 16)) is positions
