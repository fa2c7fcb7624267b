"""What `genreid doctor` looks at: one small function a thing, each with the one thing to do about it.

A check says whether the run that params.yaml describes needs what it looks at. Errors of the domain that it
meets are its finding: they name the remedy themselves.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genreid.errors import GenreidError
from pipeline.errors import PipelineError
from pipeline.params import section
from stages._configuration import STAGE_SETTINGS, Configuration
from stages._conflicts import conflicts
from stages._run import project_path

if TYPE_CHECKING:
    from genreid.mesh.romp import Part

State = Literal["ok", "note", "missing"]
"""ok: there, or not needed. note: missing, and the configured run does without. missing: it cannot start."""

_PYTHONS = ((3, 11), (3, 12))
_CONNECT_SECONDS = 3.0
_PAINTING = ("pretrain_generator", "train_joint")
_FOR_PHOTOGRAPHS = "nothing: it is needed for photographs alone"


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do where something is missing."""

    state: State
    found: str
    to_do: str = ""


@dataclass(frozen=True)
class Check:
    """A line of the screen."""

    name: str
    look: Callable[[Configuration], Finding]


def examine(configuration: Configuration) -> Iterator[tuple[str, Finding]]:
    """Every check's name and finding, in order."""
    for check in CHECKS:
        try:
            yield check.name, check.look(configuration)
        except (GenreidError, PipelineError) as error:
            yield check.name, Finding("missing", *_problem_and_remedy(str(error)))


def _params(configuration: Configuration) -> Finding:
    settings, name = configuration.settings, configuration.project.params.path.name
    if found := list(conflicts(settings)):
        problems, remedies = zip(*found, strict=True)
        return Finding("missing", "; ".join(problems), "; ".join(remedies))
    return Finding("ok", f"all {len(STAGE_SETTINGS)} sections of {name} are readable")


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
            "missing", f"does not import ({_line(error)})", "install them again with `make install`"
        )
    return Finding("ok", f"torch {torch.__version__}, torchvision {torchvision.__version__}")


def _device(configuration: Configuration) -> Finding:
    import torch

    device = configuration.project.device  # raises PipelineError for one that this machine lacks
    if device.type == "cuda":
        name, memory = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)[1]
        return Finding("ok", f"{device}: {name}, {memory / 1e9:.0f} GB, CUDA {torch.version.cuda}")
    found = f"{device}, {configuration.project.workers} cores; no GPU that torch can use"
    return Finding("ok" if torch.version.cuda is None else "note", found, "the run takes longer without one")


def _faiss(configuration: Configuration) -> Finding:
    clustering = ("pretrain_encoder", "pretrain_generator", "train_joint")
    used = any(configuration.value(f"{name}.clustering.method") in ("faiss", "hnsw") for name in clustering)
    missing: State = "missing" if used else "note"
    to_do = "pip install faiss-cpu (or faiss-gpu), or set clustering.method: torch"
    import numpy as np

    from genreid.clustering.neighbours import nearest_neighbours

    try:
        nearest_neighbours(np.eye(4, dtype=np.float32), 2, method="faiss")
        import_version = _version("faiss-gpu") or _version("faiss-cpu") or "?"
    except Exception as error:  # a wheel for another machine fails in its own ways
        return Finding(missing, f"does not work ({_line(error)})", to_do)
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


def _body(configuration: Configuration) -> Finding:
    from stages._body import open_body

    name = configuration.value("prepare_data.body")
    body = open_body(configuration.project.root, name)
    return Finding("ok", f"{'the open body' if name == 'open' else name}, fingerprint {body.fingerprint}")


def _estimator(configuration: Configuration) -> Finding:
    name = configuration.value("mesh_extract.estimator")
    is_synthetic = configuration.value("prepare_data.dataset") == "synthetic"
    if name == "romp":
        return _romp_works(configuration)
    if name == "ground_truth" and not is_synthetic:
        to_do = "set mesh_extract.estimator: romp"
        return Finding("missing", "ground_truth: only the synthetic benchmark has one", to_do)
    if name == "regressor" and not is_synthetic:
        to_do = "set mesh_extract.estimator: romp for photographs"
        return Finding("note", "regressor: fitted on synthetic persons", to_do)
    return Finding("ok", f"{name}, made by the run itself")


def _romp_works(configuration: Configuration) -> Finding:
    """Whether ROMP's network takes its weights, and the run's body is ROMP's; the stage would say it late."""
    import pyarrow as pa

    from genreid.mesh.romp import missing_parts
    from stages._body import open_body
    from stages._estimation import open_estimator
    from stages._romp import romp_settings

    if missing_parts(romp_settings(configuration.project)):
        return Finding("ok", "romp, see below")
    body = open_body(configuration.project.root, configuration.value("prepare_data.body"))
    open_estimator(configuration.project, "romp", body, pa.table({}))
    return Finding("ok", "romp: its network takes the weights, its body is the run's")


def _romp(part: Part) -> Callable[[Configuration], Finding]:
    """The check of a part of ROMP."""

    def look(configuration: Configuration) -> Finding:
        from genreid.mesh.romp import PACKAGE, missing_parts
        from stages._romp import romp_settings

        settings = romp_settings(configuration.project)
        line = missing_parts(settings).get(part)
        used = configuration.value("mesh_extract.estimator") == "romp"
        if line is None:
            found = {"package": f"{PACKAGE} {_version(PACKAGE)}", "weights": settings.weights}
            return Finding("ok", found.get(part, settings.smpl))
        problem, remedy = _problem_and_remedy(line)
        return Finding("missing", problem, remedy) if used else Finding("note", problem, _FOR_PHOTOGRAPHS)

    return look


def _dataset(configuration: Configuration) -> Finding:
    project, name = configuration.project, configuration.value("prepare_data.dataset")
    if name == "synthetic":
        return Finding("ok", f"synthetic: about {configuration.num_images:,} images, drawn by the run")
    from genreid.data.datasets.counts import differences
    from genreid.data.datasets.folder import FolderSettings
    from genreid.data.datasets.registry import layout_named
    from stages._external import dataset_folder

    layout = layout_named(name, section(project.params, "prepare_data.folder", FolderSettings))
    listing = layout.find(project.root / dataset_folder(project))
    configuration.num_images = len(listing.images)
    found = f"{name} at {listing.root}: {len(listing.images):,} images"
    if odd := list(differences(layout, listing.images)):
        return Finding("note", f"{found}; {odd[0]}", "unpack the data set again, or use it as it is")
    return Finding("ok", found)


def _weights(configuration: Configuration) -> Finding:
    settings = configuration.settings["pretrain_encoder"]
    if settings.import_from is not None:
        from dataclasses import replace

        from genreid.models.imported import import_encoder

        path = project_path(configuration.project.root, settings.import_from.path)
        _, report = import_encoder(settings.encoder, replace(settings.import_from, path=str(path)))
        found = f"{settings.import_from.path}: layout {report.layout}, {report.num_tensors} tensors match"
        return Finding("ok", found)
    pretrained = settings.encoder.pretrained
    if pretrained == "imagenet":
        return _imagenet(settings.encoder.backbone)
    if pretrained == "none":
        return Finding("ok", "random weights to start from")
    from genreid.models.initialisation import build_encoder

    build_encoder(settings.encoder, settings.seed, folder=configuration.project.root)
    return Finding("ok", f"{pretrained}: they fit")


def _imagenet(backbone: str) -> Finding:
    """Whether the weights are in the cache already, or could be fetched: nothing is fetched here."""
    import socket

    import torch

    from genreid.models.backbone import RESNETS

    host = "huggingface.co"
    if backbone in RESNETS:
        from torchvision.models import get_model_weights

        url = get_model_weights(backbone)["IMAGENET1K_V1"].url
        host = url.split("/")[2]
        cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if cached.is_file():
            return Finding("ok", f"ImageNet's, in {cached}")
    try:
        socket.create_connection((host, 443), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        to_do = "put the file into torch's cache or name it in pretrain_encoder.encoder.pretrained"
        return Finding("missing", f"ImageNet's, and {host} cannot be reached ({_line(error)})", to_do)
    return Finding("ok", f"ImageNet's, to be fetched from {host}")


def _tools(configuration: Configuration) -> Finding:
    beside = Path(sys.executable).parent  # an environment that is used without being activated
    missing = [tool for tool in ("dvc", "git") if not (shutil.which(tool) or (beside / tool).exists())]
    if missing:
        to_do = "activate the environment: `dvc repro` needs it"
        return Finding("note", f"{', '.join(missing)} not on the path", to_do)
    return Finding("ok", f"dvc {_version('dvc')}, git")


def _export(configuration: Configuration) -> Finding:
    packages = {name: _version(name) for name in ("onnx", "onnxscript", "onnxruntime")}
    if missing := [name for name, found in packages.items() if found is None]:
        to_do = "for `genreid export`: pip install 'genreid[export]'"
        return Finding("note", f"{', '.join(missing)} not installed", to_do)
    return Finding("ok", ", ".join(f"{name} {found}" for name, found in packages.items()))


def _disk(configuration: Configuration) -> Finding:
    needed, free = _needs(configuration).disk, shutil.disk_usage(configuration.project.root).free
    found = f"{free / 1e9:.1f} GB free, the run needs about {needed / 1e9:.1f} GB"
    if free < needed:
        return Finding("missing", found, "make room, or move the project to a larger disk")
    return Finding("ok", found)


def _memory(configuration: Configuration) -> Finding:
    import psutil
    import torch

    from stages._needs import GPU_BYTES

    needs, device = _needs(configuration), configuration.project.device
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


def _needs(configuration: Configuration) -> Any:
    from stages._needs import Workload, estimate_needs

    settings = configuration.settings
    prepared, warm_up = settings["prepare_data"], settings["pretrain_encoder"]
    drawn = prepared.synthetic
    return estimate_needs(
        Workload(
            num_images=configuration.num_images,
            native_px=(drawn["height_px"], drawn["width_px"]),
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


CHECKS = (
    Check("params", _params),
    Check("Python", _python),
    Check("torch", _torch),
    Check("device", _device),
    Check("faiss", _faiss),
    Check("renderer", _renderer),
    Check("body", _body),
    Check("mesh estimator", _estimator),
    Check("ROMP", _romp("package")),
    Check("ROMP's weights", _romp("weights")),
    Check("ROMP's body", _romp("smpl")),
    Check("data set", _dataset),
    Check("encoder weights", _weights),
    Check("DVC", _tools),
    Check("ONNX export", _export),
    Check("disk", _disk),
    Check("memory", _memory),
)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _problem_and_remedy(message: str) -> tuple[str, str]:
    """An error's line in two: messages of the domain end with what to do, after a semicolon or a colon."""
    for mark in ("; ", ": "):
        problem, found, remedy = message.rpartition(mark)
        if found:
            return problem, remedy
    return message, "see the message"


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
