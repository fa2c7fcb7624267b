"""Position embeddings of a vision transformer: of which pictures they are, and how they become others'.

A position is that of a patch of 16×16 pixels, say, every `stride_px` of them; a stride below the patch's side
makes patches overlap. N positions, D channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from genreid.errors import GenreidError

SIZES_PX = ((256, 128), (384, 128), (384, 192), (224, 224))
STRIDES = (1.0, 0.75, 0.875, 0.6875)
"""Of a patch's side: 16, 12, 14 and 11 pixels of 16. Each of these sizes and strides, which are those of the
field's programs, has another number of positions."""


@dataclass(frozen=True)
class Grid:
    """Pictures of H×W pixels, cut into patches of `patch_px` pixels a side, one every `stride_px`."""

    height_px: int
    width_px: int
    patch_px: int
    stride_px: int

    @property
    def rows_and_columns(self) -> tuple[int, int]:
        height, width = (
            (side - self.patch_px) // self.stride_px + 1 for side in (self.height_px, self.width_px)
        )
        return height, width

    @property
    def num(self) -> int:
        rows, columns = self.rows_and_columns
        return rows * columns


def grid_of(num: int, patch_px: int, wanted: Grid | None, place: str) -> Grid:
    """The pictures that a network with `num` positions was trained on.

    wanted: what the user says of them, which is taken where it has this number. Raises GenreidError where
    neither that nor any of the usual sizes and strides has.
    """
    if wanted is not None and wanted.num == num:
        return wanted
    for share in STRIDES:
        for height_px, width_px in SIZES_PX:
            usual = Grid(height_px, width_px, patch_px, round(share * patch_px))
            if usual.num == num:
                return usual
    raise GenreidError(
        f"{place}: its {num} position embeddings fit no usual size of pictures; say which they were of: "
        "height_px, width_px and stride_px"
    )


def resized(positions: Tensor, old: Grid, new: Grid) -> Tensor:
    """(1,N,D) of `old`'s pictures → those of `new`'s, bilinear, as all of these programs make them."""
    if old == new:
        return positions
    maps = positions.float().unflatten(1, old.rows_and_columns).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, size=new.rows_and_columns, mode="bilinear", align_corners=False)
    return maps.flatten(2).transpose(1, 2)
