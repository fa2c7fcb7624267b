"""A data set of coloured boxes, small enough for loops to run in a second or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from genreid.clustering.pseudo_labels import PseudoLabels
from genreid.clustering.settings import PseudoLabelSettings
from genreid.data.background import without_person
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.data.settings import AugmentationSettings
from genreid.models.settings import EncoderSettings, GeneratorSettings
from genreid.training.loader import Loader
from genreid.training.settings.generation import GenerationSettings
from genreid.warping.view import WarpedView

CPU = torch.device("cpu")
NUM_IDENTITIES, NUM_IMAGES = 6, 6
ENCODER = EncoderSettings(
    backbone="resnet18",
    base_width=8,
    stem="small",
    last_stride=1,
    num_stripes=4,
    pooling="average",
    embedding_dim=None,
    pretrained="none",
)
GENERATOR = GeneratorSettings(
    paints="codes", structure_width=4, structure_blocks=1, decoder_width=8, mlp_width=16
)
CLUSTERING = PseudoLabelSettings(k1=6, k2=2, eps=0.7, min_samples=2, method="exact")
NO_AUGMENTATION = AugmentationSettings(flip=0.0, pad_px=0, erase=0.0, colour=0.0)
GENERATION = GenerationSettings(
    adversarial=1.0,
    image=5.0,
    cycle=5.0,
    feature=5.0,
    same_person=0.0,
    real=4.0,
    r1=0.01,
    r1_every=2,
    mixup_alpha=0.6,
    lr=1e-3,
    beta1=0.0,
    beta2=0.999,
    weight_decay=0.0,
)


@dataclass
class Boxes:
    """The images, the views of their "meshes" and the identities that only tests may know."""

    images: ImageSet
    loader: Loader
    person_id: np.ndarray
    views: BoxViews
    persons: BoxPersons

    def agreement(self, labels: PseudoLabels) -> dict[str, float]:
        return {"agreement/seen": float(len(labels.labels))}


class BoxViews:
    """View shards in memory: a grey box that moves with the yaw. The last image has no view, and nobody has
    one at any other yaw."""

    def __init__(self, image_ids: list[str]) -> None:
        self.image_ids = image_ids[:-1]
        self.yaws_deg = (0, 90, 180, 270)

    def load(self, image_id: str, yaw_deg: int) -> np.ndarray:
        view = np.zeros((32, 16), np.uint8)
        shift = self.yaws_deg.index(yaw_deg)
        view[4:28, 3 + shift : 10 + shift] = 160
        return view


class BoxPersons:
    """What is warped, in place of real bodies: the grey box, which shows what the image has there, by three
    quarters."""

    def __init__(self, images: ImageSet, views: BoxViews) -> None:
        self._images, self._views = images, views

    def empty(self, index: np.ndarray) -> np.ndarray:
        pairs = zip(self._images.load(index), index, strict=True)
        meshes = [(image, self._views.load(self._images.image_id[position], 0)) for image, position in pairs]
        return np.stack([without_person(image, mesh) for image, mesh in meshes])

    def views(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        return [self._view(*pair) for pair in zip(self._images.load(index), yaw_deg, strict=True)]

    def wearing(self, index: np.ndarray, other: np.ndarray) -> list[WarpedView]:
        return self.views(other, np.zeros_like(index))

    def after_turn(self, index: np.ndarray, yaw_deg: np.ndarray) -> list[WarpedView]:
        """The lower half is lost, and filled with the grey level that is the angle."""
        found = []
        for image, yaw in zip(self._images.load(index), yaw_deg, strict=True):
            left = image.copy()
            left[16:] = abs(yaw)
            view = self._view(left, 0)
            seen = view.share.copy()
            seen[16:] = 0
            found.append(WarpedView(view.person, view.share, seen, view.share - seen))
        return found

    def mixtures(
        self, index: np.ndarray, other: np.ndarray, share: Sequence[float | str], yaw_deg: np.ndarray
    ) -> list[tuple[WarpedView, float]]:
        """Pixels mixed by λ, or the other one's upper or lower half."""
        found, half = [], 16
        for own, second, much, yaw in zip(
            self._images.load(index), self._images.load(other), share, yaw_deg, strict=True
        ):
            weight = np.full((32, 1, 1), much if isinstance(much, float) else 1.0, np.float32)
            if much == "upper":
                weight[:half] = 0
            if much == "lower":
                weight[half:] = 0
            view = self._view(weight * own + (1 - weight) * second, int(yaw))
            found.append((view, float(weight[4:28].mean())))
        return found

    def _view(self, image: np.ndarray, yaw_deg: int) -> WarpedView:
        share = np.zeros((32, 16), np.float32)
        shift = int(yaw_deg) // 90
        share[4:28, 3 + shift : 10 + shift] = 0.75
        return WarpedView(image * share[..., None], share, share, np.zeros_like(share))


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Boxes:
    return make_boxes(tmp_path_factory.mktemp("boxes"), BoxViews)


def make_boxes(root: Path, views: type[BoxViews], *, light: int = 0) -> Boxes:
    """Images of boxes, written below `root`; light: how far apart the cameras' colour casts are, 0 to 100."""
    rows = [
        _write_box(root, person, shot, light)
        for person in range(NUM_IDENTITIES)
        for shot in range(NUM_IMAGES)
    ]
    info = ManifestInfo(dataset="boxes", root=".", height_px=32, width_px=16, body="open")
    manifest = Manifest.from_rows(rows, info)
    images = ImageSet(root, manifest)
    store: Any = views(images.image_id)
    persons: Any = BoxPersons(images, store)
    loader = Loader(images, store, CPU, warped=persons)
    return Boxes(images, loader, manifest.person_id, store, persons)


def _write_box(root: Path, person: int, shot: int, light: int) -> dict[str, object]:
    rng = np.random.default_rng([person, shot])
    image = rng.integers(90, 130, (32, 16, 3), dtype=np.uint8)
    colours = np.random.default_rng(person).integers(0, 256, (2, 3), dtype=np.uint8)
    image[4:16, 3:12], image[16:28, 3:12] = colours
    cast = light * np.array([(1, 0, -1), (-1, 1, 0), (0, -1, 1)])[shot % 3]
    image = np.clip(image + cast, 0, 255).astype(np.uint8)
    name = f"{person:02d}_{shot}.png"
    cv2.imwrite(str(root / name), image)
    return {
        "image_id": name,
        "path": name,
        "split": "train",
        "camera_id": shot % 3,
        "person_id": person + 1,
        "height": 32,
        "width": 16,
        "status": "ok",
        "detail": None,
    }
