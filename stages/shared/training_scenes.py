"""The pictures that the mesh regressor learns from, drawn by several processes."""

from __future__ import annotations

import pyarrow as pa

from genreid.training.regressor_data import Scenes, render_scenes
from genreid.training.settings.regressor import FitSettings
from stages.shared.run import StageRun
from stages.shared.shards import make_pieces, plan_shards, read_pieces
from stages.shared.workers import process_pool

_SCENES_PER_PIECE = 128  # neighbours share a person
_MOST_WORKERS = 4  # each keeps the empty streets of all cameras, most of a gigabyte


def draw_scenes(run: StageRun, settings: FitSettings, body: str) -> Scenes:
    """The scenes of the stream that the seed names: those to learn from, then those to measure on.

    body: whom they show, as `load_body` takes it.
    """
    height_px, width_px = settings.network.height_px, settings.network.width_px
    num = settings.num_scenes + settings.num_held_out
    num_workers = min(run.workers, _MOST_WORKERS)
    (pieces,) = plan_shards(num, _SCENES_PER_PIECE, num)
    with process_pool(num_workers) as pool:

        def draw(piece: range) -> pa.Table:
            arguments = body, settings.seed, piece.start, piece.stop, height_px, width_px
            return pool.call(render_scenes, *arguments)

        make_pieces(run, pieces, draw, "drawing scenes", num_threads=num_workers)
    tables = [read_pieces(run, range(index, index + 1)) for index in range(len(pieces))]
    return Scenes.from_tables(tables, height_px, width_px)
