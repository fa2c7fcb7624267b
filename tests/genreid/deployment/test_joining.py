"""New images join groups: against the persons that the images are drawn of, and against grouping all anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from genreid.clustering.agglomeration import Links
from genreid.deployment.gallery import Gallery, without_camera_means
from genreid.deployment.gallery_table import GalleryInfo, gallery_schema
from genreid.deployment.group_table import Groups, grouped_table, read_groups, with_joined
from genreid.deployment.grouped import Grouped, People
from genreid.deployment.groups import Likeness
from genreid.deployment.joining import Joining, as_the_old
from genreid.errors import GenreidError

from .test_groups import SETTINGS, parts, persons

INFO = GalleryInfo("/crops", "joint.pt", "abc", 128, 64, 32, "image")
CUT = 0.3


def embedded(paths: list[str], rows: np.ndarray, info: GalleryInfo = INFO) -> pa.Table:
    """A table as `genreid embed` makes it, and in it one image that nobody could read."""
    num = len(paths)
    columns = {
        "path": ["broken.png", *paths],
        "status": ["unreadable", *["ok"] * num],
        "detail": ["no image", *[None] * num],
        "height": [None, *[128] * num],
        "width": [None, *[64] * num],
        "camera": [None] * (num + 1),
        "time": [None] * (num + 1),
        "views": [None, *[1] * num],
        "embedding": [None, *rows],
    }
    return pa.table(columns, schema=gallery_schema(info))


def grouped(table: pa.Table) -> pa.Table:
    people = People.of(Gallery.from_table(table, "x"))
    made = Grouped(people, Likeness.of(people.rows, SETTINGS), CUT, Links.none(len(people.path)))
    return grouped_table(table, made.groups)


def join(there: pa.Table, new: pa.Table, links: Links | None = None) -> tuple[Joining, Grouped, Groups]:
    old = read_groups(there, "groups.parquet")
    joining = Joining.of(Gallery.from_table(new, "new"), old, SETTINGS.k1)
    name = joining.people.name
    known = Links.none(len(name)) if links is None else links
    likeness = Likeness.of(joining.people.rows, SETTINGS)
    made = Grouped(joining.people, likeness, CUT, replace(known, name=name))
    return joining, made, joining.joined(made)


def names(places: np.ndarray) -> list[str]:
    return [f"{place:03d}.png" for place in places]


def test_new_images_come_to_their_persons_and_strangers_to_new_groups() -> None:
    """Of twelve persons nine are there; the others come with the new images, two of each nine as well."""
    rows, person = persons(12, 8)
    is_new = (person >= 9) | np.isin(np.arange(96), [np.flatnonzero(person == one)[0] for one in range(9)])
    old, new = np.flatnonzero(~is_new), np.flatnonzero(is_new)
    there = grouped(embedded(names(old), rows[old]))
    before = read_groups(there, "x").groups
    table = embedded(names(new), rows[new])
    joining, made, joined = join(there, table)

    assert parts(before.group) == parts(person[old])
    both = np.concatenate([before.group, joined.group])
    assert parts(both) == parts(np.concatenate([person[old], person[new]])), "as if grouped all at once"
    assert sorted(set(joined.group.tolist())) == list(range(12)), "new groups are numbered on"
    assert ((joined.confidence >= 0) & (joined.confidence <= 1)).all()
    for question in joining.questions(made, 50):
        assert min(question.one, question.other) < len(new)

    whole = with_joined(there, table, before, joined)
    again = read_groups(whole, "x")
    assert again.gallery.path == [*names(old), *names(new)]
    np.testing.assert_array_equal(again.groups.group, both)
    np.testing.assert_array_equal(again.gallery.embedding, rows[np.concatenate([old, new])])
    assert whole.num_rows == 98 and whole["group"].null_count == 2
    counts = {int(one): int((both == one).sum()) for one in both}
    readable = whole.filter(pa.compute.is_valid(whole["group"]))
    assert [counts[one] for one in readable["group"].to_pylist()] == readable["images"].to_pylist()


def test_names_are_inherited_and_only_near_groups_are_looked_at() -> None:
    rows, person = persons(30, 8)
    first = np.array([np.flatnonzero(person == one)[0] for one in (3, 7)])
    old = np.setdiff1d(np.arange(240), first)
    table = embedded(names(old), rows[old])
    label = np.unique(person[old], return_inverse=True)[1]
    known = ["anna" if one == 3 else None for one in person[old]]
    there = grouped_table(table, Groups(label, known, np.ones(len(old)), CUT))
    joining, _, joined = join(there, embedded(names(first), rows[first]))
    assert joined.group.tolist() == [3, 7] and joined.person == ["anna", None]
    assert len(joining.people.path) < 2 + 8 * 16, "of thirty persons"


def test_old_groups_stay_apart_and_corrections_are_obeyed() -> None:
    """One person in two old groups: a new image of it joins one of them, and by a correction neither."""
    rows, person = persons(4, 9)
    own = np.flatnonzero(person == 2)
    old = np.setdiff1d(np.arange(36), own[:1])
    label = person[old].copy()
    label[np.isin(old, own[1:5])] = 4
    there = grouped_table(embedded(names(old), rows[old]), Groups(label, [None] * 35, np.ones(35), CUT))
    new = embedded(names(own[:1]), rows[own[:1]])
    joining, made, joined = join(there, new)
    assert joined.group.tolist() in ([2], [4])
    assert len(set(made.labels[1:].tolist())) == len(set(joining.people.name[1:].tolist()))
    images = np.flatnonzero(np.isin(joining.people.path, names(own[1:])))
    never = np.stack([np.zeros(len(images), np.int64), images], 1)
    apart = Links(np.empty((0, 2), np.int64), never, joining.people.name)
    _, _, joined = join(there, new, apart)
    assert joined.group.tolist() == [5]


def test_nothing_is_asked_of_two_old_images() -> None:
    """Another person than the new image's is in two old groups, which a correction brings in."""
    rows, person = persons(4, 9)
    new = np.flatnonzero(person == 2)[:1]
    old, twice = np.setdiff1d(np.arange(36), new), np.flatnonzero(person == 3)
    label = np.where(np.isin(old, twice[:4]), 4, person[old])
    there = grouped_table(embedded(names(old), rows[old]), Groups(label, [None] * 35, np.ones(35), CUT))
    own = Gallery.from_table(embedded(names(new), rows[new]), "new")
    joining = Joining.of(own, read_groups(there, "x"), 2, names(twice[[0, -1]]))
    people = joining.people
    assert len(people.path) == 18, "the groups of the two persons alone"
    links = replace(Links.none(18), name=people.name)
    made = Grouped(people, Likeness.of(people.rows, SETTINGS), CUT, links)
    assert any(min(one.one, one.other) > 0 for one in made.questions(50))
    assert all(min(one.one, one.other) == 0 for one in joining.questions(made, 50))


def test_paths_and_cameras_are_told_as_the_old_ones_are() -> None:
    rows, _ = persons(3, 4)
    cameras = [f"c{one % 2}_{one}.png" for one in range(12)]
    table = without_camera_means(embedded(cameras, rows), "^(?P<camera>c.)_")
    old = Gallery.from_table(table, "x")
    assert old.means is not None
    elsewhere = replace(INFO, folder="/other")
    found = as_the_old(embedded(cameras, rows, elsewhere), old)
    assert found["path"].to_pylist()[1:] == [f"/other/{one}" for one in cameras]
    overall = rows - old.means.overall
    expected = overall / np.linalg.norm(overall, axis=1, keepdims=True)
    np.testing.assert_allclose(Gallery.from_table(found, "x").embedding, expected, atol=1e-6)

    below = as_the_old(embedded(cameras, rows, replace(INFO, folder="/crops/new")), old)
    assert below["path"].to_pylist()[1:] == [f"new/{one}" for one in cameras]
    same = as_the_old(embedded(cameras, rows), old)
    assert same["camera"].to_pylist()[1:] == [one[:2] for one in cameras]
    np.testing.assert_allclose(Gallery.from_table(same, "x").embedding, old.embedding, atol=1e-6)
    with pytest.raises(GenreidError, match="embed them without --camera-pattern"):
        as_the_old(table, old)


def test_what_cannot_join_is_refused() -> None:
    rows, _ = persons(3, 4)
    paths = names(np.arange(12))
    table = embedded(paths, rows)
    old = read_groups(grouped(table), "x")
    for other, message in (
        (table, "000.png is in a group already"),
        (embedded(["n.png"], rows[:1], replace(INFO, fingerprint="xyz")), "made with other weights"),
        (embedded(["n.png"], rows[:1], replace(INFO, views="mirror")), "made with --views image"),
    ):
        with pytest.raises(GenreidError, match=message):
            Joining.of(Gallery.from_table(other, "new"), old, 8)
    for broken in (table, grouped(table).replace_schema_metadata({b"genreid.groups": b"1"})):
        with pytest.raises(
            GenreidError, match=r"g\.parquet is no table that this version of `genreid group`"
        ):
            read_groups(broken, "g.parquet")
