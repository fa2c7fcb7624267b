"""The validation pair: who is moved, and that every query can be answered."""

from __future__ import annotations

import pytest

from genreid.data.datasets.layout import ImageFile
from genreid.data.validation import set_aside
from genreid.errors import GenreidError


def images() -> list[ImageFile]:
    """Identities 1-6 in cameras 1 and 2 (n has n + 1 images), 7 in one camera, a distractor, junk."""
    rows = [(p, 1 + n % 2, f"{p}_{n}") for p in range(1, 7) for n in range(p + 1)]
    rows += [(7, 1, "7_0"), (7, 1, "7_1"), (0, 1, "0_0"), (-1, 2, "-1_0")]
    return [ImageFile(path, "train", camera, person) for person, camera, path in rows] + [
        ImageFile("q", "query", 1, 1)
    ]


def test_whole_identities_move_and_every_query_has_a_match_elsewhere() -> None:
    moved = set_aside(images(), 6, seed=1)
    assert [image.path for image in moved] == [image.path for image in images()]
    assert {image.person_id for image in moved if image.split == "train"} == {7, 0, -1}
    gallery = {(i.person_id, i.camera_id) for i in moved if i.split == "val_gallery"}
    queries = [(i.person_id, i.camera_id) for i in moved if i.split == "val_query"]
    assert len(queries) == len(set(queries))  # one an identity and camera
    for person, camera in queries:
        assert (person, 3 - camera) in gallery
    assert {person for person, _ in queries} == set(range(1, 7))


def test_the_draw_belongs_to_the_seed() -> None:
    def drawn(seed: int) -> set[int | None]:
        return {i.person_id for i in set_aside(images(), 2, seed) if i.split == "val_query"}

    assert drawn(1) == drawn(1) and len({frozenset(drawn(seed)) for seed in range(8)}) > 1


def test_nothing_is_moved_unless_asked_for() -> None:
    assert set_aside(images(), 0, seed=1) == images()


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(GenreidError, match="val_identities is 7: 6 of 7 training identities are seen by two"):
        set_aside(images(), 7, seed=1)
    unlabelled = [ImageFile(str(n), "train", n, None) for n in range(9)]
    with pytest.raises(GenreidError, match="0 of 0 training identities"):
        set_aside(unlabelled, 1, seed=1)
