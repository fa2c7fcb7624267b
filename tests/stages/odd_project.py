"""A small project with something in every place, for what a user can get wrong."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from genreid.body.body import load_body
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.mesh.shards import MeshEstimates, mesh_table
from genreid.preprocessing import Preprocessing
from genreid.render.views import view_table, write_options
from genreid.synthetic.truth import TRUTH_SCHEMA
from pipeline.artifacts import write_table
from pipeline.params import load_params
from tests.stages.small_project import SmallProject

YAWS = (0, 90)
NUM_IMAGES = 12
PREPARED = Preprocessing(64, 32)


def refused(project: SmallProject, stage: str) -> str:
    """The one line that the stage ends with."""
    done = project.run(stage, "--no-progress")
    assert done.code == 2, (done.code, done.out, done.err)
    assert done.err.startswith("error: ") and done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.out
    return done.err.removeprefix("error: ").rstrip("\n")


@cache
def open_body_fingerprint() -> str:
    return load_body("open").fingerprint


def write_inputs(project: SmallProject, split: str = "train") -> None:
    """Manifest, images, an empty truth, meshes that say nobody is there, and views of all images."""
    root = project.folder / "data" / "images"
    root.mkdir(parents=True)
    rows, views = [], []
    for number in range(NUM_IMAGES):
        name = f"{number:02d}.png"
        image = np.random.default_rng(number).integers(0, 256, (64, 32, 3), dtype=np.uint8)
        cv2.imencode(".png", image)[1].tofile(root / name)
        views.append((name, [image[..., 0]] * len(YAWS)))
        row = {"image_id": name, "path": name, "split": split, "camera_id": 1 + number % 2, "status": "ok"}
        rows.append(row | {"height": 64, "width": 32, "num_bytes": (root / name).stat().st_size})
    manifest = Manifest.from_rows(rows, ManifestInfo("tiny", "data/images", 64, 32, "open"))
    write_table(project.folder / "data" / "manifest.parquet", manifest.to_table())
    write_table(project.folder / "data" / "truth.parquet", TRUTH_SCHEMA.empty_table())
    body = open_body_fingerprint()
    nobody = MeshEstimates.without_mesh(["no_person"] * NUM_IMAGES)
    write_table(
        project.folder / "data" / "mesh" / "part-00000.parquet",
        mesh_table(manifest.image_id, nobody, "romp", body),
    )
    write_table(
        project.folder / "data" / "views" / "part-00000.parquet",
        view_table(views, YAWS, body),
        **write_options(len(YAWS)),
    )


def line_of(project: SmallProject, key: str) -> int:
    return load_params(project.folder / "params.yaml").lines[key]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What stages before the one in question leave, of the smallest networks."""
    from genreid.models.checkpoint import encoder_checkpoint, generator_checkpoint, joint_checkpoint
    from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
    from genreid.models.settings import DiscriminatorSettings
    from tests.genreid.training.conftest import ENCODER, GENERATOR

    encoder = build_encoder(ENCODER, 0)
    generator = build_generator(GENERATOR, encoder.appearance_dim, ENCODER.num_stripes, 0)
    discriminator = build_discriminator(DiscriminatorSettings(4, 1, 1), 0)
    return {
        "encoder": encoder_checkpoint(encoder, PREPARED),
        "generator": generator_checkpoint(generator, discriminator, PREPARED),
        "joint": joint_checkpoint(encoder, generator, discriminator, PREPARED),
    }


def write_checkpoints(project: SmallProject, checkpoints: dict[str, dict[str, Any]]) -> None:
    from pipeline.artifacts import write_torch

    for name, content in checkpoints.items():
        write_torch(project.folder / "models" / f"{name}.pt", content)
    (project.folder / "models" / "regressor.pt").write_bytes(b"not read in these cases")
