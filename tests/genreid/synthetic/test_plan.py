from __future__ import annotations

from collections import Counter

import pytest

from genreid.errors import GenreidError
from genreid.synthetic.plan import Shot, plan_benchmark
from tests.genreid.synthetic.conftest import small_settings

PARTS = {"train": "train", "val_query": "val", "val_gallery": "val", "query": "test", "gallery": "test"}


@pytest.fixture(scope="module")
def shots() -> tuple[Shot, ...]:
    return plan_benchmark(
        small_settings(train_identities=30, val_identities=10, test_identities=15, num_cameras=5), 7
    )


def test_a_person_belongs_to_one_part(shots: tuple[Shot, ...]) -> None:
    parts: dict[int, set[str]] = {}
    for shot in shots:
        if shot.person_id > 0:
            parts.setdefault(shot.person_id, set()).add(PARTS[shot.split])
    assert sorted(parts) == list(range(1, 56))
    assert all(len(of) == 1 for of in parts.values())
    assert Counter(next(iter(of)) for of in parts.values()) == {"train": 30, "val": 10, "test": 15}


def test_nobody_who_is_a_distractor_or_junk_is_anybodys_query(shots: tuple[Shot, ...]) -> None:
    known = {shot.figure for shot in shots if shot.person_id > 0}
    extras = [shot for shot in shots if shot.person_id <= 0]
    assert {shot.person_id for shot in extras} == {0, -1}
    assert {shot.split for shot in extras} == {"gallery", "val_gallery"}
    assert known.isdisjoint(shot.figure for shot in extras)
    by_split = {split: {s.figure for s in extras if s.split == split} for split in ("gallery", "val_gallery")}
    assert by_split["gallery"].isdisjoint(by_split["val_gallery"])


@pytest.mark.parametrize(("query", "gallery"), [("query", "gallery"), ("val_query", "val_gallery")])
def test_every_query_has_a_match_from_another_camera(
    shots: tuple[Shot, ...], query: str, gallery: str
) -> None:
    queries = [shot for shot in shots if shot.split == query]
    assert queries
    for shot in queries:
        assert any(
            other.split == gallery and other.person_id == shot.person_id and other.camera_id != shot.camera_id
            for other in shots
        )
    # One query a person and camera.
    assert max(Counter((shot.person_id, shot.camera_id) for shot in queries).values()) == 1


def test_pictures_a_person(shots: tuple[Shot, ...]) -> None:
    counts = Counter(shot.person_id for shot in shots if shot.person_id > 0)
    assert min(counts.values()) >= 4
    assert max(counts.values()) <= 7
    assert len(set(counts.values())) > 1
    cameras = {person: {s.camera_id for s in shots if s.person_id == person} for person in counts}
    assert min(len(seen) for seen in cameras.values()) >= 2
    assert set.union(*cameras.values()) == {1, 2, 3, 4, 5}


def test_names_are_sorted_unique_and_readable(shots: tuple[Shot, ...]) -> None:
    names = [shot.image_id for shot in shots]
    assert names == sorted(set(names))
    assert all(shot.path == f"{shot.split}/{shot.image_id}.png" for shot in shots)
    some = next(shot for shot in shots if shot.person_id == 3)
    assert some.image_id.startswith(f"0003_c{some.camera_id}_")


def test_the_plan_is_a_function_of_settings_and_seed(shots: tuple[Shot, ...]) -> None:
    settings = small_settings(train_identities=30, val_identities=10, test_identities=15, num_cameras=5)
    assert plan_benchmark(settings, 7) == shots
    other = plan_benchmark(settings, 8)
    assert {shot.scene_seed for shot in other}.isdisjoint(shot.scene_seed for shot in shots)


def test_each_camera_sees_a_heading_of_its_own() -> None:
    shots = plan_benchmark(small_settings(train_identities=200, num_cameras=4), 0)
    for camera, usual in ((1, 0.0), (2, 180.0), (3, 90.0), (4, -45.0)):
        off = [abs((s.heading_deg - usual + 180) % 360 - 180) for s in shots if s.camera_id == camera]
        share = sum(angle < 60 for angle in off) / len(off)
        against = sum(angle > 120 for angle in off) / len(off)
        assert 0.65 < share < 0.9, (camera, share)
        assert 0.1 < against < 0.35, (camera, against)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(GenreidError, match="max_images is 2: expected at least min_images"):
        small_settings(max_images=2)


def test_more_persons_than_names_are_refused() -> None:
    with pytest.raises(GenreidError, match="at most 9999 identities"):
        small_settings(train_identities=10_000)
