"""Who is seen by which camera, how often, and what for: the benchmark before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genreid.seeding import derive_seed, numpy_rng
from genreid.synthetic.settings import SyntheticSettings
from genreid.synthetic.world.cameras import usual_heading_deg

JUNK_ID, DISTRACTOR_ID = -1, 0
# Distractors and junk are persons of their own, who are nobody's query.
FIRST_EXTRA = 1 << 20
_DISTRACTOR_SHARE, _JUNK_SHARE = 0.12, 0.04
_AGAINST_THE_STREAM = 0.22
_SPLITS = {"train": ("train", "train"), "val": ("val_query", "val_gallery"), "test": ("query", "gallery")}


@dataclass(frozen=True)
class Shot:
    """One picture to be drawn.

    Attributes:
        image_id: such as 0001_c2_003: person, camera, number.  path: of the PNG, relative to the data set.
        split: train, query, gallery, val_query or val_gallery.
        camera_id: from 1.  person_id: from 1; 0 a distractor, −1 junk.
        figure: number of the person in the world (for identities the same as person_id).
        heading_deg: where the person goes, 0 towards the camera, positive to the person's left.
        scene_seed: names everything else that is drawn by chance.
    """

    image_id: str
    path: str
    split: str
    camera_id: int
    person_id: int
    figure: int
    heading_deg: float
    scene_seed: int


def plan_benchmark(settings: SyntheticSettings, seed: int) -> tuple[Shot, ...]:
    """All shots, sorted by image_id.

    A person is seen by two or more cameras, at least twice by each; in the parts for evaluation each
    camera's first
    picture of a person is a query, so every query has matches from other cameras in the gallery (the protocol
    of Market-1501). Galleries also hold distractors and junk.
    """
    shots: list[Shot] = []
    first = 1
    for part, num in (
        ("train", settings.train_identities),
        ("val", settings.val_identities),
        ("test", settings.test_identities),
    ):
        of_part: list[Shot] = []
        for person in range(first, first + num):
            of_part.extend(_shots_of_person(settings, seed, person, *_SPLITS[part]))
        if part != "train" and num > 0:
            of_part.extend(_extras(settings, seed, part, len(of_part)))
        shots.extend(of_part)
        first += num
    return tuple(sorted(shots, key=lambda shot: shot.image_id))


def _shots_of_person(
    settings: SyntheticSettings, seed: int, person: int, query_split: str, gallery_split: str
) -> list[Shot]:
    """All pictures of one identity."""
    rng = numpy_rng(seed, "plan", person)
    num_images = int(rng.integers(settings.min_images, settings.max_images + 1))
    most = min(settings.num_cameras, num_images // 2)
    num_seen = int(rng.integers(min(3, most), most + 1))
    cameras = np.sort(rng.permutation(settings.num_cameras)[:num_seen])
    counts = np.full(num_seen, 2)
    for extra in rng.integers(num_seen, size=num_images - 2 * num_seen):
        counts[extra] += 1
    shots = []
    for camera, count in zip(cameras, counts, strict=True):
        for number in range(count):
            split = query_split if number == 0 else gallery_split
            shots.append(_shot(seed, f"{person:04d}", int(camera), number + 1, split, person, person))
    return shots


def _extras(settings: SyntheticSettings, seed: int, part: str, num_images: int) -> list[Shot]:
    """Distractors (persons without a query) and junk (boxes that miss their person) of one gallery."""
    rng = numpy_rng(seed, "extras", part)
    gallery = _SPLITS[part][1]
    shots = []
    for name, person_id, share in (
        ("0000", DISTRACTOR_ID, _DISTRACTOR_SHARE),
        ("junk", JUNK_ID, _JUNK_SHARE),
    ):
        for number in range(1, 1 + max(1, round(share * num_images))):
            figure = (
                FIRST_EXTRA
                + (0 if part == "val" else 50_000)
                + (10_000 if person_id < 0 else 0)
                + number // 2
            )
            # The letter keeps the names of the two galleries apart.
            shots.append(
                _shot(
                    seed,
                    f"{name}{part[0]}",
                    int(rng.integers(settings.num_cameras)),
                    number,
                    gallery,
                    person_id,
                    figure,
                )
            )
    return shots


def _shot(seed: int, name: str, camera: int, number: int, split: str, person_id: int, figure: int) -> Shot:
    image_id = f"{name}_c{camera + 1}_{number:03d}"
    rng = numpy_rng(seed, "heading", image_id)
    heading = usual_heading_deg(seed, camera) + rng.normal(0.0, 16.0)
    if rng.random() < _AGAINST_THE_STREAM:
        heading += 180.0
    return Shot(
        image_id=image_id,
        path=f"{split}/{image_id}.png",
        split=split,
        camera_id=camera + 1,
        person_id=person_id,
        figure=figure,
        heading_deg=float((heading + 180.0) % 360.0 - 180.0),
        scene_seed=derive_seed(seed, "scene", image_id),
    )
