"""When figures of retrieval are undefined, and what is looked at then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.errors import GenreidError
from genreid.evaluation.retrieval import Pair, why_undefined


def asked(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    ids, cameras = np.array(pairs).T
    return ids, cameras


@pytest.mark.parametrize(
    ("queries", "gallery", "reason"),
    [
        ([(1, 1)], [(1, 2), (2, 1)], None),
        ([(3, 1), (1, 1)], [(1, 1), (1, 2)], None),
        ([(1, 4)], [(1, 4), (2, 4)], "all images are of camera 4"),
        ([(1, -1)], [(1, -1)], "no image's camera is known"),
        ([(-2, 1)], [(-2, 2)], "no query has an identity"),
        ([(0, 1), (-1, 1)], [(0, 2), (-1, 2)], "no query has an identity"),
        (
            [(1, 1), (2, 2)],
            [(1, 1), (2, 2), (3, 1)],
            "no query has an image of its identity from another camera",
        ),
    ],
)
def test_why_undefined(
    queries: list[tuple[int, int]], gallery: list[tuple[int, int]], reason: str | None
) -> None:
    found = why_undefined(*asked(*queries), *asked(*gallery))
    assert found is None if reason is None else reason in (found or "")


def pair_of(splits: list[str], asked_for: str) -> Pair:
    rows = [
        {"image_id": f"{n}", "path": f"{n}", "split": split, "camera_id": n, "person_id": 1, "status": "ok"}
        for n, split in enumerate(splits)
    ]
    info = ManifestInfo("tiny", "data/images", 64, 32, "open")

    def images_of(part: Manifest) -> ImageSet:
        return ImageSet(Path(), part, num_threads=1)

    return Pair.of(Manifest.from_rows(rows, info), asked_for, images_of)


def test_without_a_query_training_images_are_looked_at() -> None:
    pair = pair_of(["train"] * 5, "test")
    assert pair.queries.images.image_id == ["0", "2", "4"] and pair.gallery.images.image_id == ["1", "3"]
    assert pair.undefined == "tiny has no query and gallery images"


def test_the_other_pair_is_named() -> None:
    with pytest.raises(
        GenreidError, match=r"evaluate\.split is val.*no val_query.*set evaluate\.split to test"
    ):
        pair_of(["train", "query", "gallery"], "val")
    assert pair_of(["train", "query", "gallery"], "test").undefined is None
