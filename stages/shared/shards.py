"""Work on many images, a piece at a time: killed in the middle, it goes on with the next piece.

A finished piece is one Parquet file in the stage's state. How images fall into pieces and shards depends on
the params alone, so the bytes depend neither on interruptions nor on the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from pipeline.artifacts import atomic_directory, read_table, write_table
from stages.shared.expected import told_by_first
from stages.shared.run import StageRun
from stages.shared.workers import in_order

MakeTable = Callable[[range], pa.Table]
"""Makes the rows of the images at these positions."""
Finish = Callable[[Iterator[pa.Table]], Callable[[pa.Table], pa.Table]]
"""Sees all finished pieces in order, and returns what to do with the table of every shard."""


def plan_shards(num_images: int, images_per_piece: int, images_per_shard: int) -> list[list[range]]:
    """The pieces of each shard, as positions; no piece crosses a shard's end. One or more shards."""
    shards = []
    for first in range(0, max(num_images, 1), images_per_shard):
        end = min(first + images_per_shard, num_images)
        starts = range(first, end, images_per_piece)
        shards.append([range(start, min(start + images_per_piece, end)) for start in starts] or [range(0)])
    return shards


def make_pieces(
    run: StageRun, pieces: Sequence[range], make_table: MakeTable, description: str, *, num_threads: int
) -> None:
    """Make and keep every piece that is not kept yet. `make_table` is called in `num_threads` threads."""
    missing = [(index, piece) for index, piece in enumerate(pieces) if not run.state.chunk(index).exists()]

    def make(numbered: tuple[int, range]) -> range:
        index, piece = numbered
        write_table(run.state.chunk(index), make_table(piece))
        return piece

    num_images = sum(len(piece) for _, piece in missing)
    made = in_order(make, missing, num_threads)
    made = told_by_first(run.tracker, made, num_images, len, warm=num_threads, timed=num_threads)
    for _ in run.tracker.track(made, description, num_images, size=len):
        pass


def read_pieces(run: StageRun, indices: range) -> pa.Table:
    """The finished pieces of these numbers, joined."""
    remedy = f"start again with `genreid {run.stage} --fresh`"
    return pa.concat_tables(read_table(run.state.chunk(index), remedy) for index in indices).combine_chunks()


def write_shards(
    run: StageRun,
    key: str,
    shards: Sequence[Sequence[range]],
    make_table: MakeTable,
    description: str,
    *,
    num_threads: int = 1,
    finish: Finish | None = None,
    **parquet_options: Any,
) -> None:
    """Make all pieces, join those of each shard, and put the folder of shards in its place as a whole.

    key: of the artifact in the section `paths`. finish: for what depends on all images. parquet_options: for
    the writer of the shards, besides zstd.
    """
    pieces = [piece for shard in shards for piece in shard]
    make_pieces(run, pieces, make_table, description, num_threads=num_threads)
    change = finish(read_pieces(run, range(i, i + 1)) for i in range(len(pieces))) if finish else None
    first = 0
    with atomic_directory(run.path(key)) as folder:
        for number, shard in enumerate(shards):
            table = read_pieces(run, range(first, first + len(shard)))
            table = change(table) if change else table
            write_table(folder / f"part-{number:05d}.parquet", table, **parquet_options)
            first += len(shard)
