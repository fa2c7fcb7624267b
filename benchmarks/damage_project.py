"""What `benchmarks.damage` damages: a project of the tests' smallest parts, with every file in its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image

from genreid.body.body import load_body
from genreid.data.datasets.msmt17 import MSMT17
from genreid.data.images import read_image
from genreid.data.manifest import Manifest
from genreid.deployment.gallery import Gallery
from genreid.mesh.regressor import load_regressor
from genreid.mesh.shards import read_mesh_table
from genreid.models.checkpoint import (
    encoder_checkpoint,
    generator_checkpoint,
    joint_checkpoint,
    load_encoder,
    load_generator,
)
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.render.views import ViewStore
from pipeline.artifacts import (
    read_json_artifact,
    read_table,
    read_torch,
    require_table,
    write_json_artifact,
    write_torch,
)
from pipeline.params import load_params, section
from stages.shared.results import FIGURES
from stages.shared.sections import stage_settings
from tests.genreid.models.small import DISCRIMINATOR, ENCODER, GENERATOR
from tests.stages.odd_project import PREPARED, write_inputs
from tests.stages.small_project import smoke_params
from tests.stages.using.trained_project import fill

_REMEDY = "make it again"


@dataclass(frozen=True)
class Kind:
    """A file, what reads it in this process (its answer can be pickled), and the command that needs it.

    ours: whether it is an artifact, which may not give another result. project: the folder that the command
    runs in, where it is not that of all.
    """

    name: str
    path: Path
    read: Callable[[Path], Any]
    command: tuple[str, ...]
    ours: bool = True
    project: Path | None = None


def make_project(folder: Path) -> list[Kind]:
    """Write a project's files into `folder`; every kind of file, its reader and its command."""
    (folder / "params.yaml").write_text(smoke_params())
    (folder / "dvc.yaml").touch()
    fill(folder)
    write_inputs(SimpleNamespace(folder=folder))  # type: ignore[arg-type]
    encoder = build_encoder(ENCODER, 1)
    generator = build_generator(GENERATOR, encoder.appearance_dim, ENCODER.num_stripes, 1)
    discriminator = build_discriminator(DISCRIMINATOR, 1)
    models = folder / "models"
    write_torch(models / "encoder.pt", encoder_checkpoint(encoder, PREPARED))
    write_torch(models / "generator.pt", generator_checkpoint(generator, discriminator, PREPARED))
    write_torch(models / "joint.pt", joint_checkpoint(encoder, generator, discriminator, PREPARED))
    figures = {figure: 50.0 for figure in FIGURES}
    write_json_artifact(folder / "metrics.json", {"warm_up": figures, "joint": figures})
    embed = [sys.executable, "-c", "from stages.cli import main; main()", "embed", "crops"]
    subprocess.run(embed, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    data, part = folder / "data", "part-00000.parquet"
    return [
        Kind("manifest", data / "manifest.parquet", _manifest, ("render-views",)),
        Kind("truth", data / "truth.parquet", _table, ("mesh-extract",)),
        Kind("mesh", data / "mesh" / part, _mesh, ("render-views",)),
        Kind("views", data / "views" / part, _views, ("pretrain-generator",)),
        Kind("encoder", models / "encoder.pt", _networks(load_encoder), ("embed", "crops", "-c", "encoder")),
        Kind("joint", models / "joint.pt", _networks(load_encoder, load_generator), ("embed", "crops")),
        Kind("generator", models / "generator.pt", _networks(load_generator), ("train-joint",)),
        Kind("regressor", models / "regressor.pt", _regressor, ("mesh-extract",)),
        Kind("embeddings", folder / "embeddings.parquet", _gallery, ("search", "crops/0001.png")),
        Kind("metrics", folder / "metrics.json", _metrics, ("summary",)),
        Kind("params.yaml", folder / "params.yaml", _params, ("summary",), ours=False),
        _listed(folder / "listed"),
        Kind("picture", folder / "crops" / "0001.png", _picture, ("embed", "crops"), ours=False),
    ]


def _listed(folder: Path) -> Kind:
    """The list of a data set of its own, in the layout of MSMT17, in a project whose data set it is."""
    images = [f"{n:04d}/{n:04d}_000_{n % 15 + 1:02d}_0303morning_0008_0.jpg" for n in range(40)]
    for name in images:
        path = folder / "msmt" / "train" / name
        path.parent.mkdir(parents=True)
        Image.effect_noise((32, 64), 60).save(path)
    for name, listed in (("list_train.txt", images[:30]), ("list_val.txt", images[30:])):
        lines = "".join(f"{image} {int(image[:4])}\n" for image in listed)
        (folder / "msmt" / name).write_text(lines)
    (folder / "dvc.yaml").touch()
    params = smoke_params().replace("\n  dataset: null", "\n  dataset: msmt", 1)
    (folder / "params.yaml").write_text(params.replace("\n  dataset: synthetic", "\n  dataset: msmt17", 1))
    path = folder / "msmt" / "list_train.txt"
    command = ("prepare-data", "--no-progress", "--workers", "1")
    return Kind("list", path, _list, command, ours=False, project=folder)


def _list(path: Path) -> Any:
    return MSMT17.find(path.parent).images


def _networks(*loaders: Callable[..., Any]) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        content = read_torch(path, _REMEDY)
        found = [network for load in loaders for network in _as_tuple(load(content, path.name))]
        return [_weights(network) for network in found]

    return read


def _as_tuple(loaded: Any) -> tuple[Any, ...]:
    return loaded if isinstance(loaded, tuple) else (loaded,)


def _weights(network: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


def _regressor(path: Path) -> Any:
    return _weights(load_regressor(read_torch(path, _REMEDY), load_body("open"), path.name))


def _manifest(path: Path) -> Any:
    manifest = Manifest.from_table(read_table(path, _REMEDY))
    return manifest.info, manifest.table.to_pydict()


def _table(path: Path) -> Any:
    table = read_table(path, _REMEDY)
    return table.schema.to_string(), table.to_pydict()


def _mesh(path: Path) -> Any:
    table = read_table(path, _REMEDY)
    read_mesh_table(table, load_body("open").fingerprint)
    return table.to_pydict()


def _views(path: Path) -> Any:
    require_table(path, _REMEDY)
    store = ViewStore([path])
    return [store.load(name, yaw).tobytes() for name in store.image_ids for yaw in store.yaws_deg]


def _gallery(path: Path) -> Any:
    gallery = Gallery.from_table(read_table(path, _REMEDY), path.name)
    return gallery.info, gallery.path, gallery.embedding.tobytes()


def _metrics(path: Path) -> Any:
    return read_json_artifact(path, _REMEDY)


def _params(path: Path) -> Any:
    params = load_params(path)
    return [section(params, name, settings) for name, settings in stage_settings().items()]


def _picture(path: Path) -> Any:
    image = read_image(path)
    return image.shape, image.tobytes()
