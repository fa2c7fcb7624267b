"""Checks of the machine: Python and packages, the GPU, disk and memory."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, first_line, installed

if TYPE_CHECKING:
    from genreid.training.needs import Needs

_PYTHONS = ((3, 11), (3, 12))
_PAINTING = ("pretrain_generator", "train_joint")


def _python(configuration: Configuration) -> Finding:
    known = " or ".join(f"{major}.{minor}" for major, minor in _PYTHONS)
    if sys.version_info[:2] not in _PYTHONS:
        return Finding("missing", platform.python_version(), f"make the environment with Python {known}")
    return Finding("ok", f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def _torch(configuration: Configuration) -> Finding:
    try:
        import torch
        import torchvision
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(
            "missing", f"does not import ({first_line(error)})", "install them again with `make install`"
        )
    return Finding("ok", f"torch {torch.__version__}, torchvision {torchvision.__version__}")


def _device(configuration: Configuration) -> Finding:
    """Whether there is a GPU that torch can use."""
    import torch

    device = configuration.project.device  # raises PipelineError for one that this machine lacks
    if device.type == "cuda":
        name, memory = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)[1]
        return Finding("ok", f"{device}: {name}, {memory / 1e9:.0f} GB, CUDA {torch.version.cuda}")
    found = f"{device}, {configuration.project.workers} cores; no GPU that torch can use"
    return Finding("ok" if torch.version.cuda is None else "note", found, "the run takes longer without one")


def _faiss(configuration: Configuration) -> Finding:
    to_do = "pip install faiss-cpu (or faiss-gpu)"
    import numpy as np

    from genreid.clustering.neighbours import nearest_neighbours

    try:
        nearest_neighbours(np.eye(4, dtype=np.float32), 2, method="exact")
        import_version = installed("faiss-gpu") or installed("faiss-cpu") or "?"
    except Exception as error:  # a wheel for another machine fails in its own ways
        return Finding("missing", f"does not work ({first_line(error)})", to_do)
    return Finding("ok", f"{import_version}, {_faiss_gpu()}")


def _faiss_gpu() -> str:
    """The neighbour search above ran on a GPU if faiss sees one."""
    from genreid.clustering.faiss_search import num_faiss_gpus

    num = num_faiss_gpus()
    return f"on {num} GPU: works" if num else "on the CPU"


def _renderer(configuration: Configuration) -> Finding:
    from genreid.render.backend import choose_renderer
    from genreid.render.pytorch3d import why_unusable

    backend, device = configuration.value("render_views.backend"), configuration.project.device
    name = choose_renderer(backend, device).name  # raises GenreidError where pytorch3d is asked for in vain
    reason = why_unusable(device)
    found = f"views by {name}; pytorch3d {'works' if reason is None else f'does not work ({reason})'}"
    if reason is not None and device.type == "cuda":
        return Finding(
            "note", found, "build it for this torch (docs/bodies_and_meshes.md): views come faster"
        )
    return Finding("ok", found)


def _tools(configuration: Configuration) -> Finding:
    beside = Path(sys.executable).parent  # an environment that is used without being activated
    missing = [tool for tool in ("dvc", "git") if not (shutil.which(tool) or (beside / tool).exists())]
    if missing:
        to_do = "activate the environment: `dvc repro` needs it"
        return Finding("note", f"{', '.join(missing)} not on the path", to_do)
    return Finding("ok", f"dvc {installed('dvc')}, git")


def _export(configuration: Configuration) -> Finding:
    packages = {name: installed(name) for name in ("onnx", "onnxscript", "onnxruntime")}
    if missing := [name for name, found in packages.items() if found is None]:
        to_do = "for `genreid export`: pip install 'genreid[export]'"
        return Finding("note", f"{', '.join(missing)} not installed", to_do)
    return Finding("ok", ", ".join(f"{name} {found}" for name, found in packages.items()))


def _disk(configuration: Configuration) -> Finding:
    needed, free = needs_of(configuration).disk, shutil.disk_usage(configuration.project.root).free
    found = f"{free / 1e9:.1f} GB free, the run needs about {needed / 1e9:.1f} GB"
    if free < needed:
        return Finding("missing", found, "make room, or move the project to a larger disk")
    return Finding("ok", found)


def _memory(configuration: Configuration) -> Finding:
    import psutil
    import torch

    from genreid.training.needs import GPU_BYTES

    needs, device = needs_of(configuration), configuration.project.device
    machine = psutil.virtual_memory()
    needed = needs.memory + (needs.training if device.type == "cpu" else 0)
    free_of = f"{machine.available / 1e9:.1f} GB free of {machine.total / 1e9:.1f}"
    found = f"{free_of}, the run needs about {needed / 1e9:.1f} GB"
    to_do = "smaller batches, or fewer --workers"
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        of_gpu = needs.training + GPU_BYTES
        found += f"; GPU {free / 1e9:.1f} GB free, needs about {of_gpu / 1e9:.1f} GB"
        if total < of_gpu:
            return Finding("missing", found, "smaller batches, or precision: bfloat16")
    if machine.total < needed:
        return Finding("missing", found, to_do)
    return Finding("note" if machine.available < needed else "ok", found, to_do)


def needs_of(configuration: Configuration) -> Needs:
    """What the configured run takes of disk and memory."""
    from genreid.training.needs import Workload, estimate_needs

    settings = configuration.settings
    prepared, warm_up = settings["prepare_data"], settings["pretrain_encoder"]
    drawn = prepared.synthetic
    return estimate_needs(
        Workload(
            num_images=configuration.num_images,
            native_px=(drawn.height_px, drawn.width_px),
            training_px=(prepared.height_px, prepared.width_px),
            num_yaws=len(settings["render_views"].yaws_deg),
            warm_up_batch=warm_up.identities_per_batch * warm_up.images_per_identity,
            joint_batch=settings["train_joint"].batch_size,
            num_painted=4 + any(settings[name].generation.same_person > 0 for name in _PAINTING),
            is_synthetic=prepared.dataset == "synthetic",
            num_workers=configuration.project.workers,
            encoder=warm_up.encoder,
            generator=settings["pretrain_generator"].generator,
            discriminator=settings["pretrain_generator"].discriminator,
        )
    )


MACHINE = (
    Check("Python", _python),
    Check("torch", _torch),
    Check("device", _device),
    Check("faiss", _faiss),
    Check("renderer", _renderer),
)
TOOLS = (Check("DVC", _tools), Check("ONNX export", _export), Check("disk", _disk), Check("memory", _memory))
