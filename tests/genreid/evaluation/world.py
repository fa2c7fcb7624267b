"""A few persons with pictures, views and headings, and untrained networks that look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from genreid.data.manifest import Manifest, ManifestInfo
from genreid.evaluation.bodies import Bodies, PairBodies
from genreid.evaluation.generation import Painter, ViewedImages
from genreid.evaluation.retrieval import Pair, Part, Retrieval, embed_pair, rank_pair, why_undefined
from genreid.evaluation.settings import EvaluateSettings
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from genreid.models.initialisation import build_encoder, build_generator
from genreid.progress import Silent
from tests.genreid.models.small import ENCODER, GENERATOR

YAWS_DEG = (90, 180)
SETTINGS = EvaluateSettings(
    seed=3,
    split="test",
    batch_size=4,
    max_rank=6,
    num_generated=4,
    num_ranked_lists=2,
    reranking=None,
    test_views=("mirror",),
)


class Pictures:
    """Noise, each image's own."""

    height_px, width_px = 32, 16

    def __init__(self, image_id: list[str], seed: int) -> None:
        self.image_id = image_id
        rng = np.random.default_rng(seed)
        self._pixels = rng.integers(0, 256, (len(image_id), 32, 16, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.image_id)

    def load(self, index: np.ndarray) -> np.ndarray:
        return self._pixels[index]


class Views:
    """Of all images but the second: a grey bar, wider with the yaw."""

    yaws_deg = (0, *YAWS_DEG)

    def __init__(self, image_id: list[str]) -> None:
        self.image_ids = [one for number, one in enumerate(image_id) if number != 1]

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        view = np.zeros((32, 16), np.uint8)
        view[:, : 4 + yaw_deg // 30] = 100
        return view


class Persons:
    """Who is cut out of the images: the upper half, or with the masks three quarters."""

    def __init__(self, images: Any) -> None:
        self._images = images

    def empty_of_bodies(self, index: np.ndarray) -> np.ndarray:
        return self._emptied(index, 16)

    def empty(self, index: np.ndarray) -> np.ndarray:
        return self._emptied(index, 24)

    def share(self, position: int) -> np.ndarray:
        share = np.zeros((32, 16), np.uint8)
        share[:24] = 255
        return share

    def _emptied(self, index: np.ndarray, rows: int) -> np.ndarray:
        images = self._images.load(index).copy()
        images[:, :rows] = 90
        return images


def bodies_of(part: Part, seed: int) -> Bodies:
    """Of everybody, with headings of their own."""
    num, persons = len(part.images), Persons(part.images)
    heading = np.random.default_rng(seed).uniform(-180, 180, num).astype(np.float32)
    waist = np.full(num, 0.4, np.float32)
    return Bodies(persons, np.ones(num, bool), heading, waist, np.ones(num, bool))  # type: ignore[arg-type]


def true_view(image_id: str, yaw_deg: int) -> tuple[np.ndarray, np.ndarray]:
    picture = np.full((32, 16, 3), 20 * int(image_id[1:]) + yaw_deg // 10, np.uint8)
    return picture, np.ones((32, 16), bool)


def part_of(name: str, persons: list[int], cameras: list[int], seed: int) -> Part:
    rows = [
        {
            "image_id": f"{name}{n}",
            "path": f"{name}{n}",
            "split": "query",
            "camera_id": camera,
            "person_id": person,
            "status": "ok",
        }
        for n, (person, camera) in enumerate(zip(persons, cameras, strict=True))
    ]
    manifest = Manifest.from_rows(rows, ManifestInfo("tiny", "images", 32, 16, "open"))
    return Part(manifest, Pictures(list(manifest.image_id), seed))  # type: ignore[arg-type]


@dataclass(frozen=True)
class World:
    """Six queries of persons 1 to 3 and 5, twelve gallery images of 1 to 4 with junk and a distractor."""

    pair: Pair
    viewed: ViewedImages
    encoders: dict[str, IdentityEncoder]
    generator: Generator
    retrievals: dict[str, Retrieval]
    headings: dict[str, float]
    bodies: PairBodies

    @property
    def painter(self) -> Painter:
        return Painter(self.generator, self.encoders["joint"])


def make_world(*, one_camera: bool = False) -> World:
    cameras = [1] * 6 if one_camera else [1, 2, 1, 2, 1, 2]
    queries = part_of("q", [1, 1, 2, 3, 5, 2], cameras, 0)
    gallery_cameras = [1] * 12 if one_camera else [2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1]
    gallery = part_of("g", [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, -1, 0], gallery_cameras, 1)
    pair = Pair(queries, gallery, why_undefined(*queries.labels, *gallery.labels))
    encoders = {name: build_encoder(ENCODER, seed).eval() for seed, name in enumerate(("warm_up", "joint"))}
    joint = encoders["joint"]
    generator = build_generator(GENERATOR, joint.appearance_dim, ENCODER.num_stripes, 0)
    retrievals = {
        name: rank_pair(embed_pair(encoder, pair, 5, torch.device("cpu"), Silent()), pair, 6, None)
        for name, encoder in encoders.items()
    }
    ids = [*queries.manifest.image_id, *gallery.manifest.image_id]
    headings = dict(zip(ids, np.random.default_rng(2).uniform(-180, 180, len(ids)).tolist(), strict=True))
    views = Views(list(queries.manifest.image_id))
    viewed = ViewedImages(queries.images, views, true_view)  # type: ignore[arg-type]
    bodies = PairBodies(bodies_of(queries, 7), bodies_of(gallery, 8))
    return World(pair, viewed, encoders, generator.eval(), retrievals, headings, bodies)
