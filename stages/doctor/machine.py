"""Checks of the machine: Python and packages, the GPU, disk and memory."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, first_line, install_again, installed

_PYTHONS = ((3, 11), (3, 12))


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
        found = f"does not import ({first_line(error)})"
        return Finding("missing", found, f"install them again by {install_again()}")
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
    """DVC starts the stages as `genreid`, by the path of whoever starts DVC."""
    beside = Path(sys.executable).parent  # an environment that is used without being activated
    on_path = [tool for tool in ("dvc", "genreid") if shutil.which(tool)]
    there = [tool for tool in ("dvc", "genreid") if tool in on_path or (beside / tool).exists()]
    if lacking := [tool for tool in ("dvc", "genreid") if tool not in there]:
        return Finding("missing", f"{', '.join(lacking)} not installed", f"install them by {install_again()}")
    if aside := [tool for tool in there if tool not in on_path]:
        to_do = "activate the environment, or run by `make repro`: a stage would not be found"
        return Finding("note", f"{', '.join(aside)} not on the path", to_do)
    if not shutil.which("git"):
        return Finding("note", "git not on the path", "install it for `dvc exp run` and studies")
    return Finding("ok", f"dvc {installed('dvc')}, git")


def _export(configuration: Configuration) -> Finding:
    packages = {name: installed(name) for name in ("onnx", "onnxscript", "onnxruntime")}
    if missing := [name for name, found in packages.items() if found is None]:
        to_do = "for `genreid export`: pip install 'genreid[export]'"
        return Finding("note", f"{', '.join(missing)} not installed", to_do)
    return Finding("ok", ", ".join(f"{name} {found}" for name, found in packages.items()))


MACHINE = (
    Check("Python", _python),
    Check("torch", _torch),
    Check("device", _device),
    Check("faiss", _faiss),
    Check("renderer", _renderer),
)
TOOLS = (Check("DVC", _tools), Check("ONNX export", _export))
