"""A query and gallery for studies, taken out of the training identities of a labelled data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from genreid.data.datasets.layout import ImageFile
from genreid.errors import GenreidError
from genreid.seeding import numpy_rng


def set_aside(images: Sequence[ImageFile], num_identities: int, seed: int) -> list[ImageFile]:
    """The images, those of `num_identities` training identities moved to `val_query` and `val_gallery`.

    Identities are drawn among those that two or more cameras see. As in the field's test sets, each camera
    gives one query an identity; a camera with a single image of it leaves that one in the gallery, so every
    query has a match in another camera.

    Raises:
        GenreidError: there are not that many such identities, or none would be left to train on.
    """
    if num_identities == 0:
        return list(images)
    by_person: dict[int, dict[int, list[ImageFile]]] = {}
    for image in images:
        if image.split == "train" and (image.person_id or 0) > 0:
            assert image.person_id is not None
            by_person.setdefault(image.person_id, {}).setdefault(image.camera_id, []).append(image)
    eligible = sorted(person for person, cameras in by_person.items() if len(cameras) > 1)
    if num_identities > len(eligible) or num_identities >= len(by_person):
        raise GenreidError(
            f"val_identities is {num_identities}: {len(eligible)} of {len(by_person)} training identities "
            "are seen by two cameras or more, and some must be left to train on; set "
            "prepare_data.val_identities to fewer, or to 0"
        )
    rng = numpy_rng(seed, "validation identities")
    moved: dict[str, str] = {}
    for person in sorted(rng.choice(eligible, num_identities, replace=False).tolist()):
        moved |= _split_person(by_person[person], seed, person)
    return [dataclasses.replace(image, split=moved.get(image.path, image.split)) for image in images]


def _split_person(cameras: dict[int, list[ImageFile]], seed: int, person: int) -> dict[str, str]:
    """Path → split of the images of one identity."""
    rng = numpy_rng(seed, "validation queries", person)
    drawn = {camera: rng.permutation(len(cameras[camera])) for camera in sorted(cameras)}
    asking = [camera for camera in drawn if len(drawn[camera]) > 1] or list(drawn)[:1]
    return {
        image.path: "val_query" if camera in asking and place == drawn[camera][0] else "val_gallery"
        for camera, images in cameras.items()
        for place, image in enumerate(images)
    }
