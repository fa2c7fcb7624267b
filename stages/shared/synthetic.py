"""The synthetic benchmark, drawn by several workers and written out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa

from genreid.body.body import load_body
from genreid.data.images import read_image
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.render.contact_sheet import cells_by_identity, contact_sheet
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.plan import Shot, plan_benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.synthetic.truth import truth_table
from pipeline.artifacts import atomic_directory, write_bytes, write_table
from pipeline.pictures import png
from stages.shared.body import body_source
from stages.shared.engine import open_workers
from stages.shared.run import StageRun
from stages.shared.shards import make_pieces, plan_shards, read_pieces

_IMAGES_PER_PIECE = 32


def write_benchmark(run: StageRun, settings: SyntheticSettings, seed: int, info: ManifestInfo) -> Manifest:
    """Draw the images, write them with their truth and a contact sheet, and return their manifest.

    Images and truth are drawn in pieces by workers, and written here into the stage's state.
    """
    shots = plan_benchmark(settings, seed)
    drawn = run.state.folder / "images"
    (pieces,) = plan_shards(len(shots), _IMAGES_PER_PIECE, len(shots))
    body = body_source(run.root, info.body)
    with open_workers(run, _start_worker, body, settings, seed) as workers:

        def draw(piece: range) -> pa.Table:
            truth, pictures = workers.call(_draw, piece)
            for shot, picture in zip(shots[piece.start : piece.stop], pictures, strict=True):
                write_bytes(drawn / shot.path, picture)
            return truth

        make_pieces(run, pieces, draw, "drawing images", num_threads=workers.num_calls)

    with atomic_directory(run.path("images")) as folder:
        shutil.copytree(drawn, folder, copy_function=os.link, dirs_exist_ok=True)
    write_table(run.path("truth"), read_pieces(run, range(len(pieces))))
    with atomic_directory(run.plots) as folder:
        write_bytes(folder / "contact_sheet.png", _contact_sheet(run.path("images"), shots))
    return Manifest.from_rows([_manifest_row(shot, settings) for shot in shots], info)


def _manifest_row(shot: Shot, settings: SyntheticSettings) -> dict[str, object]:
    return {
        "image_id": shot.image_id,
        "path": shot.path,
        "split": shot.split,
        "camera_id": shot.camera_id,
        "person_id": shot.person_id,
        "height": settings.height_px,
        "width": settings.width_px,
        "status": "ok",
        "detail": None,
    }


def _contact_sheet(images: Path, shots: tuple[Shot, ...]) -> bytes:
    """A row a person, a column a camera."""
    rows = cells_by_identity([shot.person_id for shot in shots], [shot.camera_id for shot in shots])
    shown = [
        [None if cell is None else read_image(images / shots[cell].path) for cell in row] for row in rows
    ]
    return png(contact_sheet(shown))


# What follows runs in the workers; each makes its benchmark once and keeps it.

_benchmark: Benchmark | None = None


def _start_worker(body: str, settings: SyntheticSettings, seed: int) -> None:
    global _benchmark
    _benchmark = Benchmark(load_body(body), settings, seed)


def _draw(piece: range) -> tuple[pa.Table, list[bytes]]:
    """Truth and PNG pictures of the shots of a piece."""
    assert _benchmark is not None, "_start_worker ran first"
    shots = _benchmark.shots[piece.start : piece.stop]
    scenes = [_benchmark.render(shot) for shot in shots]
    return truth_table(_benchmark, shots, scenes), [png(scene.image) for scene in scenes]
