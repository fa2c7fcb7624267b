"""A project with tiny networks in the place of trained ones, a folder of crops and a clip of frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from genreid.body.body import load_body
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.transforms import normalise, resize
from genreid.mesh.regressor import regressor_checkpoint
from genreid.mesh.settings import NetworkSettings
from genreid.models.checkpoint import (
    encoder_checkpoint,
    generator_checkpoint,
    joint_checkpoint,
    load_encoder,
)
from genreid.models.initialisation import build_discriminator, build_encoder, build_generator
from genreid.preprocessing import Preprocessing
from genreid.training.regressor import build_regressor
from pipeline.artifacts import write_table, write_torch
from tests.genreid.models.small import DISCRIMINATOR, ENCODER, GENERATOR
from tests.stages.small_project import SmallProject

HEIGHT_PX, WIDTH_PX = 32, 16
PREPARED = Preprocessing(HEIGHT_PX, WIDTH_PX)
NUM_CROPS = 5
REGRESSOR = NetworkSettings(height_px=32, width_px=32, widths=(8, 8, 8, 8), head_width=8, mask_width=8)


def crop(number: int) -> np.ndarray:
    """A person-shaped box in two colours of its own: (48, 24, 3) uint8 RGB."""
    rng = np.random.default_rng(number)
    image = rng.integers(60, 110, (48, 24, 3), dtype=np.uint8)
    top, bottom = rng.integers(0, 256, (2, 3), dtype=np.uint8)
    image[6:24, 6:18], image[24:44, 7:17] = top, bottom
    return image


def fill(folder: Path) -> None:
    """Write manifest, models, crops/, more_crops/ and clip/ into a project's folder. crops/0003.png is no
    image."""
    crops = folder / "crops"
    crops.mkdir()
    for number in range(1, NUM_CROPS + 1):
        cv2.imwrite(str(crops / f"{number:04d}.png"), crop(number)[:, :, ::-1])
    (crops / "0003.png").write_bytes(b"no image")
    (crops / "notes.txt").write_text("not an image either")
    (folder / "more_crops").mkdir()
    cv2.imwrite(str(folder / "more_crops" / "0009.png"), crop(9)[:, :, ::-1])
    _fill_clip(folder / "clip")
    images = folder / "seen"
    images.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(images / "a.png"), crop(1)[:, :, ::-1])
    row = {"image_id": "a", "path": "a.png", "split": "train", "camera_id": 1, "status": "ok"}
    info = ManifestInfo("boxes", "seen", height_px=HEIGHT_PX, width_px=WIDTH_PX, body="open")
    write_table(folder / "data" / "manifest.parquet", Manifest.from_rows([row], info).to_table())

    encoder, warm_up = build_encoder(ENCODER, 1), build_encoder(ENCODER, 2)
    generator = build_generator(GENERATOR, encoder.appearance_dim, ENCODER.num_stripes, 1)
    discriminator = build_discriminator(DISCRIMINATOR, 1)
    models = folder / "models"
    write_torch(models / "joint.pt", joint_checkpoint(encoder, generator, discriminator, PREPARED))
    write_torch(models / "encoder.pt", encoder_checkpoint(warm_up, PREPARED))
    write_torch(models / "generator.pt", generator_checkpoint(generator, discriminator, PREPARED))
    network = build_regressor(REGRESSOR, 1)
    write_torch(models / "regressor.pt", regressor_checkpoint(network, load_body("open")))


def frame(number: int) -> np.ndarray:
    """Two crops beside each other: (48, 48, 3) uint8 RGB."""
    return np.hstack([crop(number), crop(number + 1)])


def _fill_clip(clip: Path) -> None:
    """Two frames in the layout of MOTChallenge, with the boxes of both crops in each."""
    lines = []
    for number in (1, 2):
        (clip / "img1").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(clip / "img1" / f"{number:06d}.png"), frame(number)[:, :, ::-1])
        lines += [f"{number},-1,{left},0,24,48,0.9,-1,-1,-1\n" for left in (0, 24)]
    (clip / "det").mkdir()
    (clip / "det" / "det.txt").write_text("".join(lines))


@pytest.fixture
def trained(small: SmallProject) -> SmallProject:
    fill(small.folder)
    return small


def embedding(folder: Path, checkpoint: str, number: int) -> np.ndarray:
    """Of one crop, alone."""
    encoder = load_encoder(torch.load(folder / "models" / checkpoint, weights_only=True))
    with torch.no_grad():
        image = normalise(resize(crop(number), HEIGHT_PX, WIDTH_PX)[None])
        return encoder(image).embedding[0].numpy()
