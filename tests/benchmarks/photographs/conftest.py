"""Made-up photographs: two persons before two cameras, coloured bodies on a plain background."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.photographs.crops import Photographs, read_photographs
from benchmarks.photographs.judge import Judge
from benchmarks.photographs.scale import Scale
from benchmarks.photographs.ways import People
from genreid.body.body import Body, BodyParameters, load_body
from genreid.body.rotations import rotate_about_vertical
from genreid.mesh.shards import MeshEstimates, encode_mask
from genreid.models.initialisation import build_encoder
from genreid.render.backend import choose_renderer
from genreid.warping.warper import Warper
from tests.genreid.models.small import ENCODER

SIZE_PX = 64, 32
HEADINGS = (0, 45, 90, 135, 180, -135, -90, -45)
COLOURS = {2: ((200, 40, 40), (30, 60, 120)), 4: ((40, 180, 60), (90, 90, 20))}
"""Of the persons, above and below the waist."""


@pytest.fixture(scope="session")
def body() -> Body:
    return load_body("open")


@pytest.fixture(scope="session")
def warper(body: Body) -> Warper:
    return Warper(body, choose_renderer("zbuffer", torch.device("cpu")))


def standing(heading_deg: float) -> BodyParameters:
    """Somebody with hanging arms who looks that way: one row."""
    pose = torch.zeros(1, 23, 3)
    pose[0, 15, 2], pose[0, 16, 2] = -1.2, 1.2
    root = rotate_about_vertical(torch.tensor([[np.pi, 0.0, 0.0]]), heading_deg)
    return BodyParameters(root, pose.reshape(1, 69), torch.zeros(1, 10))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, warper: Warper) -> Path:
    """The photographs as files: colours grow darker as the person turns away, and camera 2 is brighter."""
    place = tmp_path_factory.mktemp("angles")
    for person, (upper, lower) in COLOURS.items():
        for camera in (1, 2):
            for heading in HEADINGS:
                bodies = warper.bodies(standing(heading), _camera(), *(np.array([side]) for side in SIZE_PX))
                (outline,) = warper.outlines(bodies)
                picture = np.full((*SIZE_PX, 3), 120 + 10 * camera, np.uint8)
                dark = 1 - abs(heading) / 360
                picture[outline] = np.round(np.multiply(upper, dark))
                picture[34:][outline[34:]] = np.round(np.multiply(lower, dark))
                name = f"{person:04d}_c{camera}_h{heading:+04d}.png"
                cv2.imwrite(str(place / name), picture[..., ::-1])
    return place


@pytest.fixture(scope="session")
def photographs(folder: Path) -> Photographs:
    return read_photographs(folder, "even", SIZE_PX)


@pytest.fixture(scope="session")
def meshes(photographs: Photographs, warper: Warper) -> MeshEstimates:
    """The true bodies; nobody was found in the last photograph."""
    rows = [standing(float(heading)) for heading in photographs.heading_deg]
    names = ("global_orient", "body_pose", "betas")
    parameters = BodyParameters(*(torch.cat([getattr(row, name) for row in rows]) for name in names))
    num = len(rows)
    camera = _camera().expand(num, -1)
    bodies = warper.bodies(parameters, camera, np.full(num, SIZE_PX[0]), np.full(num, SIZE_PX[1]))
    masks = [encode_mask(np.where(outline, 255, 0).astype(np.uint8)) for outline in warper.outlines(bodies)]
    status = ["ok"] * (num - 1) + ["no_person"]
    return MeshEstimates(status, np.ones(num, np.float32), parameters, camera, [*masks[:-1], None])


@pytest.fixture(scope="session")
def people(photographs: Photographs, meshes: MeshEstimates, warper: Warper) -> People:
    return People(photographs, meshes, warper)


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge(build_encoder(ENCODER, 3), SIZE_PX, "a random network")


@pytest.fixture(scope="session")
def scale(people: People, judge: Judge) -> Scale:
    return Scale(people, judge)


def _camera() -> torch.Tensor:
    return torch.tensor([[1.0, 0.0, 0.05]])
