"""What a run on these crops will take here: each stage's time, memory and disk. No promise.

Timed on this machine are the look over the crops, the encoder, a clustering and persons that are turned; a
body too, where its model file is here. The rest is what docs/bodies_and_meshes.md measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genreid.body.body import Body
from genreid.clustering.speed import seconds_a_pair
from genreid.data.images import read_image
from genreid.errors import GenreidError
from genreid.mesh.mean_pose import MeanPoseEstimator
from genreid.models.initialisation import build_encoder
from genreid.models.speed import Speed
from genreid.render.backend import choose_renderer
from genreid.timing import least_seconds_of
from genreid.training.expected import Pace, joint_seconds, warm_up_seconds
from genreid.training.precision import computed_in
from genreid.warping.images import WarpedImages
from genreid.warping.speed import Turning
from genreid.warping.warper import Warper
from genreid.zoo.cache import require
from stages.doctor.configuration import Configuration
from stages.doctor.place import nearest_folder
from stages.doctor.room import memory_bytes, needs_of
from stages.shared.body import open_body
from stages.starting.crops import Crops

_NUM_TIMED = 8
_BODY_SECONDS = {"lite": 0.027, "full": 0.035, "heavy": 0.095}
_VIEW_SECONDS = 0.0015
_PAINTED = "told by its first steps: a generator paints"


@dataclass(frozen=True)
class Expected:
    """seconds: of wall clock, None where only the stage itself can tell."""

    stage: str
    seconds: float | None
    why: str


def expected_times(crops: Crops, configuration: Configuration) -> Iterator[Expected]:
    """Of every stage that takes long, in their order."""
    settings, project = configuration.settings, configuration.project
    num, workers, device = crops.num_images, project.workers, project.device
    cores = f"{workers} core{'s' if workers > 1 else ''}"
    look_ms = 1000 * crops.survey.seconds
    yield Expected(
        "prepare-data",
        num * crops.survey.seconds / workers,
        f"{num:,} crops, {look_ms:.1f} ms each just now, on {cores}",
    )
    pictures = _some_pictures(crops)
    if settings["mesh_extract"].estimator == "regressor":
        yield Expected("fit-regressor", None, "told by its first steps")
    yield _meshes(settings["mesh_extract"], num, workers, cores, pictures, configuration)
    num_views = num * len(settings["render_views"].yaws_deg)
    yield Expected(
        "render-views",
        num_views * _VIEW_SECONDS,
        f"{num_views:,} views, {1000 * _VIEW_SECONDS:.1f} ms each (docs/bodies_and_meshes.md)",
    )
    yield from _training(crops, configuration, pictures, device)


def _training(
    crops: Crops, configuration: Configuration, pictures: Sequence[np.ndarray], device: torch.device
) -> Iterator[Expected]:
    settings = configuration.settings
    prepared, warm_up, joint = (settings[n] for n in ("prepare_data", "pretrain_encoder", "train_joint"))
    size_px = prepared.height_px, prepared.width_px
    encoder = build_encoder(replace(warm_up.encoder, pretrained="none"), warm_up.seed)
    in_bfloat16 = computed_in(device, warm_up.precision) == "bfloat16"
    speed = Speed.of(encoder, size_px, device, bfloat16=in_bfloat16)
    num = num_trained_on(crops, prepared.val_identities)
    pair = seconds_a_pair(warm_up.clustering, encoder.embedding_dim)
    timed = f"{1000 * speed.looking:.1f} ms to look at a crop, {1000 * speed.learning:.1f} to learn from it"
    yield Expected(
        "pretrain-encoder",
        warm_up_seconds(warm_up, num, Pace(speed, pair)),
        f"{warm_up.epochs} epochs on {num:,} crops; just now {timed}",
    )
    yaws = [yaw for yaw in settings["render_views"].yaws_deg if yaw != 0]
    if joint.paints:
        yield Expected("pretrain-generator", None, _PAINTED)
        yield Expected("train-joint", None, _PAINTED)
    else:
        body = open_body(configuration.project.root, prepared.body)
        turning = _turning(body, pictures, size_px, device) if joint.warps else None
        planned: Any = _Planned(num, yaws)
        turned = f", {1000 * turning.view:.1f} to turn a person" if turning is not None else ""
        yield Expected(
            "train-joint",
            joint_seconds(joint, planned, planned, Pace(speed, pair, turning)),
            f"{joint.epochs} epochs of {joint.steps_per_epoch} steps; {timed}{turned}",
        )
    looked = _num_evaluated(crops, num)
    ways = 1 + len(settings["evaluate"].test_views)
    yield Expected(
        "evaluate",
        2 * ways * looked * speed.looking,
        f"two encoders look at {looked:,} crops in {ways} ways; pictures come on top",
    )


def room(configuration: Configuration, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Memory and disk: name, a line, and whether there is enough."""
    needs, device = needs_of(configuration), configuration.project.device
    needed = needs.memory + (needs.training if device.type == "cpu" else 0)
    _, total = memory_bytes()
    what = "crops, bodies and views as they are kept, and what the largest batch holds"
    yield "memory", f"about {_gb(needed)} of {_gb(total)}: {what}", needed <= total
    if device.type == "cuda":
        _, of_gpu = torch.cuda.mem_get_info(device)
        yield (
            "GPU",
            f"about {_gb(needs.training)} of {_gb(of_gpu)}: the largest batch",
            needs.training <= of_gpu,
        )
    free = shutil.disk_usage(nearest_folder(folder.absolute())).free
    told = f"about {_gb(needs.disk)} of {_gb(free)} free: meshes, views and models, once more in DVC's cache"
    yield "disk", told, needs.disk <= free


def num_trained_on(crops: Crops, num_held_out: int) -> int:
    """Crops of the persons that are not set aside; those of how many is what is known before."""
    persons = len(crops.cameras_of_persons("train"))
    return round(crops.num_train * (1 - num_held_out / persons)) if persons else crops.num_train


def _num_evaluated(crops: Crops, num_trained: int) -> int:
    """Queries and gallery, or those set aside; without either the crops that were trained on."""
    beside = crops.num_images - num_trained
    return beside or num_trained


def _meshes(
    settings: Any,
    num: int,
    workers: int,
    cores: str,
    pictures: Sequence[np.ndarray],
    configuration: Configuration,
) -> Expected:
    if settings.estimator != "blazepose":
        return Expected("mesh-extract", None, f"told by its first crops ({settings.estimator})")
    size = settings.blazepose.size
    seconds, where = _BODY_SECONDS[size], "docs/bodies_and_meshes.md"
    try:
        model = require(settings.blazepose.model_name)
    except GenreidError:
        pass  # `genreid models get` comes after this
    else:
        body = open_body(configuration.project.root, configuration.settings["prepare_data"].body)
        seconds, where = _body_seconds(settings.blazepose, model, body, pictures), "just now"
    why = f"{num:,} bodies by BlazePose {size}, {1000 * seconds:.0f} ms each ({where}), on {cores}"
    return Expected("mesh-extract", num * seconds / workers, why)


def _body_seconds(settings: Any, model: Path, body: Body, pictures: Sequence[np.ndarray]) -> float:
    from genreid.mesh.blazepose.estimator import BlazePoseEstimator

    estimator = BlazePoseEstimator.open(settings, model, body)
    names = [str(number) for number in range(len(pictures))]
    estimator.estimate(names[:1], pictures[:1])  # the first time makes room
    return least_seconds_of(lambda: estimator.estimate(names, pictures)) / len(pictures)


def _some_pictures(crops: Crops) -> list[np.ndarray]:
    """A few crops from all over that can be read."""
    bad = {path for path, _ in crops.survey.unreadable}
    paths = [image.path for image in crops.listing.images if image.path not in bad]
    chosen = np.unique(np.linspace(0, len(paths) - 1, _NUM_TIMED).astype(np.int64))
    return [read_image(crops.listing.root / paths[place]) for place in chosen]


def _turning(
    body: Body, pictures: Sequence[np.ndarray], size_px: tuple[int, int], device: torch.device
) -> Turning:
    """How fast persons are turned, by the mean pose: any body takes as long."""
    names = [str(number) for number in range(len(pictures))]
    meshes = MeanPoseEstimator(body).estimate(names, pictures)
    warper = Warper(body, choose_renderer("auto", device))
    warped = WarpedImages(warper, _Natives(pictures, *size_px), meshes.parameters, meshes.camera)
    return Turning.of(warped.pictures, np.arange(len(pictures)))


@dataclass(frozen=True)
class _Natives:
    """Pictures in memory, as `WarpedImages` asks for images."""

    pictures: Sequence[np.ndarray]
    height_px: int
    width_px: int

    def load_native(self, position: int) -> np.ndarray:
        return self.pictures[position]

    def load(self, index: np.ndarray) -> np.ndarray:
        from genreid.data.transforms import resize

        return np.stack([resize(self.pictures[place], self.height_px, self.width_px) for place in index])


class _Planned:
    """N images with their bodies that are not there yet: what `joint_seconds` counts of images and loader."""

    def __init__(self, num: int, yaws_deg: Sequence[int]) -> None:
        self.with_mesh, self.yaws_deg, self._num = np.arange(num), tuple(yaws_deg), num
        self.image_id: list[str] = []

    def __len__(self) -> int:
        return self._num

    def load(self, index: np.ndarray) -> np.ndarray:
        raise AssertionError("counted, never loaded")

    def turned(self, index: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
        raise AssertionError("counted, never turned")


def _gb(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
