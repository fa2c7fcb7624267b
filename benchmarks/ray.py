"""What `--on ray` costs beside processes of one machine, and what each stage that looks at images one by one
does in a second.

    python -m benchmarks.ray [--crops 2000] [--workers 1] [--rounds 1] [--timed 256]

The first part times whole commands, `genreid mesh-extract` with BlazePose over so many drawn crops, by
processes and on a Ray cluster of one node with as many cores, which is there already; both keep their pieces
and write their shards, and both load the model once a worker. It prints the ratio. The second part times the
workers' own functions on one thread of this process, by CPU time, after a first piece that compiles and
loads: images a second a core. BlazePose has to be here (`genreid models get blazepose_full blazepose_lite`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genreid.body.body import load_body
from genreid.data.files import AnyPath
from genreid.data.manifest import Manifest
from genreid.deployment.gallery_table import GalleryInfo
from genreid.deployment.patterns import Told
from genreid.mesh.shards import MeshEstimates
from genreid.models.initialisation import build_encoder
from genreid.models.settings import EncoderSettings
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.zoo.cache import require
from pipeline.artifacts import write_bytes
from pipeline.params import load_params, section
from pipeline.pictures import png
from pipeline.recipes import write_overrides
from stages.shared import drawing, estimation, external, synthetic
from stages.shared.data import image_root, read_manifest
from stages.shared.run import Options, Project
from stages.shared.settings.mesh_extract import MeshExtractSettings
from stages.shared.settings.render_views import RenderViewsSettings
from stages.using import embedding

ROOT = Path(__file__).parents[1]
PIECE = 64
_DRAWN = 64
_SIZES = ("lite", "full")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=int, default=2000, help="of the commands that are compared; 0: none")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="of each command; the least time counts")
    parser.add_argument("--timed", type=int, default=256, help="images of each row of the table; 0: no table")
    asked = parser.parse_args()
    for size in _SIZES if asked.timed else ("full",):
        require(f"blazepose_{size}")  # now, not when all else has been measured
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder) / "project"
        _make_project(here, max(asked.crops, asked.timed))
        os.chdir(here)
        _command("prepare-data")
        if asked.crops:
            _compare(asked.crops, asked.workers, asked.rounds)
        if asked.timed:
            _table(asked.timed)


def _make_project(folder: Path, num: int) -> None:
    """Crops of drawn persons, a few of which come again and again under other names."""
    folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    changes: dict[str, Any] = {"paths.dataset": "crops", "prepare_data.dataset": "folder"}
    changes |= {"mesh_extract.estimator": "blazepose", "mesh_extract.blazepose.size": "full"}
    changes |= {f"{stage}.splits": ["train"] for stage in ("mesh_extract", "render_views")}
    write_overrides(folder / "params.yaml", changes)
    benchmark = _benchmark()
    pictures = [png(benchmark.render(shot).image) for shot in benchmark.shots[:_DRAWN]]
    for number in range(num):
        write_bytes(folder / "crops" / f"{number:06d}.png", pictures[number % len(pictures)])


def _benchmark() -> Benchmark:
    params = load_params(ROOT / "params.yaml")
    return Benchmark(load_body(), section(params, "prepare_data.synthetic", SyntheticSettings), 0)


def _command(*arguments: str, **environment: str) -> float:
    """The seconds that a command takes, from its start to its end."""
    started = time.monotonic()
    command = [sys.executable, "-m", "genreid", *arguments, "--no-progress"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.monotonic() - started


def _compare(num: int, workers: int, rounds: int) -> None:
    from tests.stages.ray_nodes import ray_nodes

    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    with ray_nodes(0, num_cpus=workers) as nodes:
        for _ in range(rounds):
            for on, taken in seconds.items():
                options = ("--fresh", "--on", on, "--workers", str(workers), "--device", "cpu")
                taken.append(_command("mesh-extract", *options, GENREID_RAY=nodes.address))
                print(f"{on}: {taken[-1]:.1f} s", flush=True)
    local, ray = (min(taken) for taken in seconds.values())
    print(f"mesh-extract, {num:,} crops, {workers} workers: {ray / local:.3f} times the time of processes")


def _table(num: int) -> None:
    torch.set_num_threads(1)
    print("| stage | what | images a second a core |\n|---|---|---:|")
    for stage, what, start, work, pieces in _stages(num):
        start()
        work(pieces[0])
        started = time.process_time()
        for piece in pieces[1:]:
            work(piece)
        done = sum(len(piece) for piece in pieces[1:])
        print(f"| `{stage}` | {what} | {done / (time.process_time() - started):,.0f} |", flush=True)


_Row = tuple[str, str, Callable[[], object], Callable[[Any], object], list[Any]]


def _stages(num: int) -> Iterator[_Row]:
    """Stage, what of it, what a worker begins with, what it does with a piece, and the pieces."""
    run = Project.open(Options())
    manifest = read_manifest(run).select("train").rows(np.arange(num))
    root, size = image_root(run, manifest), f"{manifest.height[0]}×{manifest.width[0]}"
    ranges = [range(start, min(start + PIECE, num)) for start in range(0, num, PIECE)]
    rows = [manifest.rows(np.arange(piece.start, piece.stop)) for piece in ranges]
    paths = [part.path for part in rows]
    yield (
        "prepare-data",
        f"looking over, PNG of {size}",
        lambda: external._start_worker(root),
        external._inspect,
        paths,
    )
    drawn = section(run.params, "prepare_data.synthetic", SyntheticSettings)
    yield (
        "prepare-data",
        f"drawing, {drawn.height_px}×{drawn.width_px}",
        lambda: synthetic._start_worker("open", drawn, 0),
        synthetic._draw,
        ranges,
    )
    yield from _meshes(run, root, rows)
    yield _views(run, manifest, ranges)
    yield _embeddings(root, paths)


def _meshes(run: Project, root: AnyPath, rows: list[Manifest]) -> Iterator[_Row]:
    import pyarrow as pa

    for size in _SIZES:
        write_overrides(run.root / "params.yaml", {"mesh_extract.blazepose.size": size})
        here = Project.open(Options())
        settings = section(here.params, "mesh_extract", MeshExtractSettings)
        parts = estimation.estimator_parts(here, "blazepose", "open", pa.table({}))
        yield (
            "mesh-extract",
            f"blazepose, {size}",
            lambda settings=settings, parts=parts: estimation._start_worker(settings, parts, root),  # type: ignore[misc]
            estimation._look,
            rows,
        )


def _views(run: Project, manifest: Manifest, ranges: Sequence[range]) -> _Row:
    settings = section(run.params, "render_views", RenderViewsSettings)
    parameters = MeshEstimates.without_mesh(["ok"] * PIECE).parameters
    parameters.global_orient[:, 0] = np.pi
    camera = torch.tensor([0.9, 0, 0]).expand(PIECE, 3)
    pieces = [manifest.rows(np.arange(piece.start, piece.stop)) for piece in ranges]
    return (
        "render-views",
        f"{len(settings.yaws_deg)} views, z-buffer",
        lambda: drawing._start_worker(settings, "open", "cpu"),
        lambda part: drawing._draw(
            part.image_id, parameters.select(slice(len(part))), camera[: len(part)], part.height, part.width
        ),
        pieces,
    )


def _embeddings(root: AnyPath, paths: list[list[str]]) -> _Row:
    params = load_params(ROOT / "params.yaml")
    settings = section(params, "pretrain_encoder.encoder", EncoderSettings)
    encoder = build_encoder(settings, 0)
    size = int(params.value("prepare_data.height_px")), int(params.value("prepare_data.width_px"))
    parts = embedding.LookerParts(encoder, "image", size, "cpu", None, "zbuffer")
    info = GalleryInfo(str(root), "", "", *size, encoder.embedding_dim, "image")
    return (
        "genreid embed",
        f"{settings.backbone}, {size[0]}×{size[1]}, the image alone",
        lambda: embedding._start_worker(parts, info, Told()),
        embedding._embed,
        paths,
    )


if __name__ == "__main__":
    main()
