"""Checks of what a run is made from: body, mesh estimator, data set, weights to start from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from genreid.errors import GenreidError
from pipeline.errors import PipelineError
from pipeline.params import section
from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, first_line, installed, problem_and_remedy
from stages.shared.paths import project_path

if TYPE_CHECKING:
    from genreid.data.files import AnyPath
    from genreid.mesh.romp import Part

_CONNECT_SECONDS = 3.0
_NUM_MEASURED = 64


def _body(configuration: Configuration) -> Finding:
    from stages.shared.body import open_body

    name = configuration.value("prepare_data.body")
    body = open_body(configuration.project.root, name)
    return Finding("ok", f"{'the open body' if name == 'open' else name}, fingerprint {body.fingerprint}")


def _estimator(configuration: Configuration) -> Finding:
    name = configuration.value("mesh_extract.estimator")
    is_synthetic = configuration.value("prepare_data.dataset") == "synthetic"
    if name == "romp":
        return _romp_works(configuration)
    if name == "blazepose":
        return _blazepose_works(configuration)
    if name == "regressor" and not is_synthetic:
        to_do = "set mesh_extract.estimator: blazepose for photographs"
        return Finding("note", "regressor: fitted on synthetic persons", to_do)
    return Finding("ok", f"{name}, made by the run itself")


def _blazepose_works(configuration: Configuration) -> Finding:
    """Whether a runner takes the network; whether its file is there, another check tells."""
    from genreid.mesh.blazepose.network import available_runner, open_network
    from genreid.zoo.cache import require

    name = configuration.settings["mesh_extract"].blazepose.model_name
    try:
        model = require(name)
    except GenreidError:
        return Finding("ok", "blazepose, see model files")
    runner = available_runner()
    open_network(model, runner)
    slow = "pip install -c constraints.txt ai-edge-litert: it takes a third of the time"
    return (
        Finding("ok", f"{name}, run by {runner}")
        if runner == "litert"
        else Finding("note", f"{name}, run by {runner}", slow)
    )


def _romp_works(configuration: Configuration) -> Finding:
    """Whether ROMP's network takes its weights, and the run's body is ROMP's; the stage would say it late."""
    import pyarrow as pa

    from genreid.mesh.romp import missing_parts
    from stages.shared.body import open_body
    from stages.shared.estimation import open_estimator
    from stages.shared.romp import romp_settings

    if missing_parts(romp_settings(configuration.project)):
        return Finding("ok", "romp, see below")
    body = open_body(configuration.project.root, configuration.value("prepare_data.body"))
    open_estimator(configuration.project, "romp", body, pa.table({}))
    return Finding("ok", "romp: its network takes the weights, its body is the run's")


def _romp(part: Part) -> Callable[[Configuration], Finding]:
    """The check of a part of ROMP."""

    def look(configuration: Configuration) -> Finding:
        from genreid.mesh.romp import PACKAGE, missing_parts
        from stages.shared.romp import romp_settings

        settings = romp_settings(configuration.project)
        line = missing_parts(settings).get(part)
        estimator = configuration.value("mesh_extract.estimator")
        if line is None:
            found = {"package": f"{PACKAGE} {installed(PACKAGE)}", "weights": settings.weights}
            return Finding("ok", found.get(part, settings.smpl))
        problem, remedy = problem_and_remedy(line)
        if estimator == "romp":
            return Finding("missing", problem, remedy)
        return Finding("note", problem, f"nothing: mesh_extract.estimator is {estimator}")

    return look


def _dataset(configuration: Configuration) -> Finding:
    project, name = configuration.project, configuration.value("prepare_data.dataset")
    if name == "synthetic":
        return Finding("ok", f"synthetic: about {configuration.num_images:,} images, drawn by the run")
    from genreid.data.datasets.counts import differences
    from genreid.data.datasets.folder import FolderSettings
    from genreid.data.datasets.registry import layout_named
    from stages.shared.external import dataset_folder

    layout = layout_named(name, section(project.params, "prepare_data.folder", FolderSettings))
    listing = layout.find(dataset_folder(project)[1])
    configuration.num_images = len(listing.images)
    configuration.native_px = _typical_px([listing.root / image.path for image in listing.images])
    found = f"{name} at {listing.root}: {len(listing.images):,} images"
    if odd := list(differences(layout, listing.images)):
        return Finding("note", f"{found}; {odd[0]}", "unpack the data set again, or use it as it is")
    if listing.notes:
        return Finding("note", found, listing.notes[0])
    return Finding("ok", found)


def _typical_px(paths: Sequence[AnyPath]) -> tuple[int, int]:
    """The mean height and width of some of the images, spread evenly; their headers are decoded alone."""
    from PIL import Image

    from genreid.data.files import read_file

    sizes = []
    for path in paths[:: max(1, len(paths) // _NUM_MEASURED)]:
        with (
            contextlib.suppress(Exception),
            Image.open(BytesIO(read_file(path))) as image,
        ):  # prepare-data tells
            sizes.append(image.size)
    if not sizes:
        return 0, 0
    width, height = (round(sum(side) / len(sizes)) for side in zip(*sizes, strict=True))
    return height, width


def _oracle(configuration: Configuration) -> Finding:
    """Whether the run will tell training the truth, or has done so: a user should not find out later."""
    from genreid.models.checkpoint import oracle_of
    from stages.shared.data import read_checkpoint
    from stages.shared.oracle import learnt_from

    project, joint = configuration.project, configuration.settings["train_joint"]
    to_do = "set train_joint.oracle: none, but in a study"
    if joint.oracle != "none":
        return Finding("note", f"{joint.oracle}: training will be told of the truth", to_do)
    if not project.path("joint").exists():
        return Finding("ok", "none: training is told nothing of the truth")
    try:
        oracle = oracle_of(*read_checkpoint(project, "joint"))
    except (GenreidError, PipelineError) as error:
        return Finding("note", *problem_and_remedy(str(error)))
    if oracle:
        return Finding(
            "note", f"{project.paths.joint}: {learnt_from(oracle)}", "run `dvc repro` to train anew"
        )
    return Finding("ok", f"none, and {project.paths.joint} was told nothing of the truth")


def _weights(configuration: Configuration) -> Finding:
    from dataclasses import replace

    from genreid.models.package_weights import packaged_for

    settings = configuration.settings["pretrain_encoder"]
    if settings.import_from is not None:
        from genreid.models.imported.resnet import import_encoder

        path = project_path(configuration.project.root, settings.import_from.path)
        _, report = import_encoder(settings.encoder, replace(settings.import_from, path=str(path)))
        found = f"{settings.import_from.path}: layout {report.layout}, {report.num_tensors} tensors match"
        return Finding("ok", found)
    pretrained = settings.encoder.pretrained
    if pretrained in ("imagenet", "auto"):
        finding = _imagenet(settings.encoder.backbone)
        packaged = packaged_for(settings.encoder.backbone) if pretrained == "auto" else None
        if finding.state == "ok" or packaged is None:
            return finding
        pretrained = packaged
    if pretrained == "none":
        return Finding("ok", "random weights to start from")
    from genreid.models.initialisation import build_encoder
    from stages.shared.imported import weights_file

    chosen = replace(settings.encoder, pretrained=pretrained)
    build_encoder(chosen, settings.seed, weights=weights_file(configuration.project.root, chosen))
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
        return Finding("missing", f"ImageNet's, and {host} cannot be reached ({first_line(error)})", to_do)
    return Finding("ok", f"ImageNet's, to be fetched from {host}")


MATERIAL = (
    Check("body", _body),
    Check("mesh estimator", _estimator),
    Check("ROMP", _romp("package")),
    Check("ROMP's weights", _romp("weights")),
    Check("ROMP's body", _romp("smpl")),
    Check("data set", _dataset),
    Check("encoder weights", _weights),
    Check("oracle", _oracle),
)
