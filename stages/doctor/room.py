"""Checks of the room that the configured run needs: on the disk and in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding
from stages.doctor.place import nearest_folder

if TYPE_CHECKING:
    from genreid.training.needs import Needs

_PAINTING = ("pretrain_generator", "train_joint")
CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files of a container's limit and use: of the second version of control groups, and of the first."""


def _disk(configuration: Configuration) -> Finding:
    """On every disk that the project is spread over, by links or mounts."""
    needs, project = needs_of(configuration), configuration.project
    needed: dict[int, float] = {}
    free: dict[int, tuple[float, Path]] = {}
    shares = (
        (project.path("views"), needs.outs),
        (project.root / ".dvc", needs.outs),
        (project.root, needs.state),
    )
    for path, num_bytes in shares:
        folder = nearest_folder(path)
        disk = os.stat(folder).st_dev
        needed[disk] = needed.get(disk, 0) + num_bytes
        free[disk] = shutil.disk_usage(folder).free, folder
    lines = []
    for disk, (num_free, folder) in free.items():
        where = f" at {folder}" if len(free) > 1 else ""
        lines.append(f"{num_free / 1e9:.1f} GB free{where}, the run needs about {needed[disk] / 1e9:.1f} GB")
    if any(free[disk][0] < num_bytes for disk, num_bytes in needed.items()):
        return Finding("missing", "; ".join(lines), "make room, or move the project to a larger disk")
    return Finding("ok", "; ".join(lines))


def _memory(configuration: Configuration) -> Finding:
    import torch

    from genreid.training.needs import GPU_BYTES

    needs, device = needs_of(configuration), configuration.project.device
    available, total = memory_bytes()
    needed = needs.memory + (needs.training if device.type == "cpu" else 0)
    found = f"{available / 1e9:.1f} GB free of {total / 1e9:.1f}, the run needs about {needed / 1e9:.1f} GB"
    to_do = "smaller batches, or fewer --workers"
    if device.type == "cuda":
        free, of_device = torch.cuda.mem_get_info(device)
        of_gpu = needs.training + GPU_BYTES
        found += f"; GPU {free / 1e9:.1f} GB free, needs about {of_gpu / 1e9:.1f} GB"
        if of_device < of_gpu:
            return Finding("missing", found, "smaller batches, or precision: bfloat16")
    if total < needed:
        return Finding("missing", found, to_do)
    return Finding("note" if available < needed else "ok", found, to_do)


def memory_bytes() -> tuple[float, float]:
    """What is free, and what there is at all: of the machine, or of the container where that has less."""
    import psutil

    machine = psutil.virtual_memory()
    available, total = machine.available, machine.total
    for limit, used in _container_limits():
        available, total = min(available, max(limit - used, 0)), min(total, limit)
    return available, total


def _container_limits() -> Iterator[tuple[int, int]]:
    for limit, used in _LIMITS:
        try:
            yield tuple(int((CGROUP / name).read_text()) for name in (limit, used))  # type: ignore[misc]
        except (OSError, ValueError):  # no such file, or `max`
            continue


def needs_of(configuration: Configuration) -> Needs:
    """What the configured run takes of disk and memory."""
    from genreid.training.needs import Workload, estimate_needs

    settings = configuration.settings
    prepared, warm_up, fit = (
        settings[name] for name in ("prepare_data", "pretrain_encoder", "fit_regressor")
    )
    is_fitted = settings["mesh_extract"].estimator == "regressor"
    return estimate_needs(
        Workload(
            num_images=configuration.num_images,
            native_px=configuration.native_px,
            training_px=(prepared.height_px, prepared.width_px),
            num_yaws=len(settings["render_views"].yaws_deg),
            warm_up_batch=warm_up.identities_per_batch * warm_up.images_per_identity,
            joint_batch=settings["train_joint"].batch_size,
            num_painted=4 + any(settings[name].generation.same_person > 0 for name in _PAINTING),
            warps=settings["train_joint"].warps,
            is_synthetic=prepared.dataset == "synthetic",
            num_workers=configuration.project.workers,
            num_scenes=fit.num_scenes + fit.num_held_out if is_fitted else 0,
            scene_px=(fit.network.height_px, fit.network.width_px),
            encoder=warm_up.encoder,
            generator=settings["pretrain_generator"].generator,
            discriminator=settings["pretrain_generator"].discriminator,
        )
    )


ROOM = (Check("disk", _disk), Check("memory", _memory))
