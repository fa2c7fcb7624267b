"""How long a step waits for its images and views: `python -m benchmarks.feeding`.

waiting: the default run's own data and networks (made by `make repro`), its share of the time of a step.
loading: the loader alone at the paper's size, on pictures of Market-1501's size written for the purpose:
images a second when nothing has been read yet, and when everything has.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.measure import Cost, Row, finish_side, read_rows, row, side, side_arguments, table
from genreid.clustering.memory import InstanceMemory, Members
from genreid.clustering.pseudo_labels import PseudoLabels
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.models.checkpoint import load_encoder, load_generator
from genreid.render.png import encode_png
from genreid.render.views import ViewStore
from genreid.training.joint import Optimisers, epoch_batches, joint_step
from genreid.training.loader import Loader
from genreid.training.networks import Networks
from genreid.training.run import Run
from genreid.training.settings.joint import JointSettings
from genreid.training.targets import Targets
from pipeline.artifacts import read_table, read_torch
from pipeline.params import load_params, section

CPU = torch.device("cpu")
YAWS_DEG = tuple(range(0, 360, 45))
NUM_PICTURES = 512


class WrittenViews:
    """Views as PNG bytes, like those of the shards, without a renderer."""

    yaws_deg = YAWS_DEG

    def __init__(self, image_ids: list[str], view: bytes) -> None:
        self.image_ids = image_ids
        self._view = np.frombuffer(view, np.uint8)

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        view = cv2.imdecode(self._view, cv2.IMREAD_GRAYSCALE)
        assert view is not None
        return view


def compare(project: Path = Path()) -> list[Row]:
    """Both measurements; the first only where the default run has been made."""
    rows = []
    if (project / load_params(project / "params.yaml").value("paths.joint")).exists():
        cost, figures, _ = side("feeding", "waiting", project=project)
        first, last, whole = (f"{figures[name]:.2%}" for name in ("first", "last", "whole"))
        note = f"waiting: {first} of the first epoch, {last} of the last, {whole} of all {figures['epochs']}"
        rows.append(row("feeding", "the default run's joint training", 16, cost, None, note=note))
    cost, figures, _ = side("feeding", "loading")
    note = f"{figures['first']:,.0f} images a second of CPU time at first, {figures['later']:,.0f} once read"
    steps = [kept.size / kept.ours_cpu_s for kept in read_rows() if is_full_size(kept)]
    if steps:
        note += f": {figures['first'] / max(steps):,.0f} times the images of the fastest step measured"
    rows.append(row("feeding", "256×128 from 128×64 JPEG and PNG, alone", 16, cost, None, note=note))
    return rows


def is_full_size(kept: Row) -> bool:
    return kept.benchmark == "joint step" and "256×128" in kept.setting


def measure_waiting(arguments: argparse.Namespace) -> None:
    """Steps of the default joint training, the loader and the rest timed apart; cost: a step."""
    project = arguments.project
    paths = SimpleNamespace(**load_params(project / "params.yaml").value("paths"))
    manifest = Manifest.from_table(read_table(project / paths.manifest, "make repro")).select("train")
    images = ImageSet(project / manifest.info.root, manifest)
    loader = Loader(images, ViewStore(sorted((project / paths.views).glob("*.parquet"))), CPU)
    checkpoint = read_torch(project / paths.joint, "make repro")
    networks = Networks(load_encoder(checkpoint), *load_generator(checkpoint))
    settings = section(load_params(project / "params.yaml"), "train_joint", JointSettings)
    networks.encoder.train()
    optimisers = Optimisers.of(networks, settings)
    memory = InstanceMemory(torch.randn(len(images), networks.encoder.embedding_dim))
    labels = torch.arange(len(images)) % 90
    prototypes = memory.prototypes(labels)
    targets = Targets(Members.of(labels), prototypes, memory)
    shares, total = [], np.zeros(2)
    for epoch in range(settings.epochs):
        run = Run(settings.epochs, settings.steps_per_epoch)
        run.epoch, run.tensors = epoch, {"labels": labels, "prototypes": prototypes}
        steps = epoch_batches(run, loader, PseudoLabels(labels.numpy()), settings)
        waited = worked = 0.0
        for run.step in range(settings.steps_per_epoch):
            start = time.perf_counter()
            rng, batch = next(steps)
            loaded = time.perf_counter()
            joint_step(networks, optimisers, batch, targets, settings, run, rng)
            waited, worked = waited + loaded - start, worked + time.perf_counter() - loaded
        shares.append(waited / (waited + worked))
        total += waited, worked
    cost = Cost(total.sum() / settings.epochs / settings.steps_per_epoch, float("nan"), float("nan"))
    figures = {"first": shares[0], "last": shares[-1], "whole": total[0] / total.sum()}
    finish_side(arguments, cost, {**figures, "epochs": settings.epochs})


def measure_loading(arguments: argparse.Namespace) -> None:
    """The loader alone, over all pictures twice; cost: a batch of 16 of the first time."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        loader = written_feed(Path(folder), rng)
        seconds = []
        for _ in range(2):
            order = rng.permutation(NUM_PICTURES)
            start = time.process_time()
            for place in range(0, NUM_PICTURES, 16):
                loader.batch_at(order[place : place + 16], np.full(16, 90, np.int16))
            seconds.append(time.process_time() - start)
    first, later = (NUM_PICTURES / value for value in seconds)
    cost = Cost(float("nan"), seconds[0] * 16 / NUM_PICTURES, float("nan"))
    finish_side(arguments, cost, {"first": first, "later": later})


def written_feed(folder: Path, rng: np.random.Generator) -> Loader:
    """JPEGs of 128×64 in a folder, to be trained at 256×128, and views of the same size."""
    names = [f"{number:04d}.jpg" for number in range(NUM_PICTURES)]
    for name in names:
        smooth = cv2.resize(rng.integers(0, 255, (16, 8, 3), np.uint8), (64, 128))
        cv2.imwrite(str(folder / name), smooth)
    info = SimpleNamespace(height_px=256, width_px=128)
    camera_id = np.zeros(NUM_PICTURES, np.int16)
    num_bytes = np.array([(folder / name).stat().st_size for name in names])
    manifest: Any = SimpleNamespace(
        image_id=names, path=names, camera_id=camera_id, num_bytes=num_bytes, info=info
    )
    view = np.zeros((128, 64), np.uint8)
    cv2.ellipse(view, (32, 64), (14, 50), 0, 0, 360, 160, -1)
    views: Any = WrittenViews(names, encode_png(view))
    return Loader(ImageSet(folder, manifest), views, CPU)


def main() -> None:
    parser = side_arguments(__doc__)
    parser.add_argument("--project", type=Path, default=Path(), help="a project whose default run is made")
    arguments = parser.parse_args()
    if arguments.side:
        {"waiting": measure_waiting, "loading": measure_loading}[arguments.side](arguments)
    else:
        print(table(compare(arguments.project)))


if __name__ == "__main__":
    main()
