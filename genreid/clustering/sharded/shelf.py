"""Rows and what is made of them, in a folder that all workers see, a file a piece.

A piece is some consecutive rows. What has been made of one is written whole or not at all, so that who finds
a file need not make it again.

Shapes: N rows of D numbers in P pieces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from genreid.clustering.similarity import unit_rows
from genreid.errors import GenreidError

BLOCK_NUMBERS = 1 << 21
"""Numbers of a block of rows that is read at a time: 8 MiB, whatever the width."""

_ROWS = "rows.f32"


@dataclass(frozen=True)
class Shelf:
    """folder: where it is, at the same place for every worker. bounds: (P + 1,) the first row of each piece,
    from 0 to N. width: D.
    """

    folder: Path
    bounds: tuple[int, ...]
    width: int

    @classmethod
    def filled(cls, folder: Path, rows: np.ndarray, bounds: Sequence[int]) -> Shelf:
        """A shelf with these rows (N, D), float32 of length 1. Raises GenreidError where they are not."""
        shelf = cls(folder, tuple(int(bound) for bound in bounds), rows.shape[1])
        if shelf.bounds[0] != 0 or shelf.num_rows != len(rows) or any(b <= a for a, b in pairwise(bounds)):
            raise GenreidError(f"pieces begin at {shelf.bounds}: expected rising numbers, 0 to {len(rows)}")
        folder.mkdir(parents=True, exist_ok=True)
        partial = _own_name(folder / _ROWS)
        with partial.open("wb") as file:
            for block in shelf.blocks(0, shelf.num_rows):
                checked = unit_rows(rows[block.start : block.stop], f"rows from {block.start}")
                file.write(checked.data.cast("B"))
        os.replace(partial, folder / _ROWS)
        return shelf

    @property
    def num_rows(self) -> int:
        """N."""
        return self.bounds[-1]

    @property
    def num_pieces(self) -> int:
        """P."""
        return len(self.bounds) - 1

    @property
    def block_rows(self) -> int:
        """Rows of a block, at most."""
        return max(1, BLOCK_NUMBERS // self.width)

    def piece(self, number: int) -> range:
        """The rows of a piece."""
        return range(self.bounds[number], self.bounds[number + 1])

    def blocks(self, start: int, stop: int) -> Iterator[range]:
        """Rows start..stop, a block at a time."""
        for first in range(start, stop, self.block_rows):
            yield range(first, min(first + self.block_rows, stop))

    def rows_in(self, ranges: Iterable[range], into: np.ndarray) -> Iterator[tuple[range, np.ndarray]]:
        """Each range and its rows (R, D), read into the first R of `into`, in the place of those before."""
        with (self.folder / _ROWS).open("rb", buffering=0) as file:
            for rows in ranges:
                file.seek(rows.start * self.width * 4)
                room = into[: len(rows)].data.cast("B")
                while room.nbytes:
                    num = file.readinto(room)
                    if not num:
                        raise GenreidError(f"{self.folder / _ROWS} ends too early: remove {self.folder}")
                    room = room[num:]
                yield rows, into[: len(rows)]

    def rows_at(self, index: np.ndarray) -> np.ndarray:
        """The rows (M, D) of `index` (M,)."""
        found, held = np.empty((len(index), self.width), np.float32), np.empty((1, self.width), np.float32)
        one_by_one = self.rows_in((range(row, row + 1) for row in index.tolist()), held)
        for place, (_, rows) in enumerate(one_by_one):
            found[place] = rows[0]
        return found

    def has(self, name: str, piece: int) -> bool:
        """Whether it has been made of the piece."""
        return self._path(name, piece).exists()

    def put(self, name: str, piece: int, **arrays: np.ndarray) -> None:
        """Keep what has been made of a piece."""
        partial = _own_name(self._path(name, piece))
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(partial, self._path(name, piece))

    def get(self, name: str, piece: int, *arrays: str) -> list[np.ndarray]:
        """Those arrays of what `put` has kept."""
        with np.load(self._path(name, piece)) as kept:
            return [kept[array] for array in arrays]

    def _path(self, name: str, piece: int) -> Path:
        return self.folder / f"{name}-{piece:06d}.npz"


def _own_name(path: Path) -> Path:
    """A name beside it that no other process takes, on whichever machine."""
    return path.with_name(f"{path.name}.{os.uname().nodename}.{os.getpid()}")
