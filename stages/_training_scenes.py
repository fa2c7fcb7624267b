"""The pictures that the mesh regressor learns from, drawn by several processes."""

from __future__ import annotations

import pyarrow as pa
import torch

from genreid.body.body import Body, load_body
from genreid.synthetic.stream import training_scene
from genreid.training.regressor import FitSettings
from genreid.training.regressor_data import Scenes, scene_table
from stages._run import StageRun
from stages._shards import make_pieces, plan_shards, read_pieces
from stages._workers import process_pool

_SCENES_PER_PIECE = 128  # neighbours share a person, and each process draws its own empty streets


def draw_scenes(run: StageRun, settings: FitSettings) -> Scenes:
    """The scenes of the stream that the seed names: those to learn from, then those to measure on."""
    height_px, width_px = settings.network.height_px, settings.network.width_px
    num = settings.num_scenes + settings.num_held_out
    (pieces,) = plan_shards(num, _SCENES_PER_PIECE, num)
    with process_pool(run.workers, _start_worker) as pool:

        def draw(piece: range) -> pa.Table:
            return pool.submit(_draw, piece, settings.seed, height_px, width_px).result()

        make_pieces(run, pieces, draw, "drawing scenes", num_threads=run.workers)
    tables = [read_pieces(run, range(index, index + 1)) for index in range(len(pieces))]
    return Scenes.from_tables(tables, height_px, width_px)


# What follows runs in the worker processes.

_body: Body | None = None


def _start_worker() -> None:
    global _body
    _body = load_body("open")


def _draw(piece: range, seed: int, height_px: int, width_px: int) -> pa.Table:
    assert _body is not None
    scenes = [training_scene(_body, seed, index, height_px, width_px) for index in piece]
    return scene_table(
        [scene.image for scene in scenes],
        [scene.parameters for scene in scenes],
        [torch.from_numpy(scene.camera) for scene in scenes],
    )
