"""Any folder, through patterns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genreid.data.datasets.counts import count_split
from genreid.data.datasets.folder import FolderSettings, folder_layout, numbers
from genreid.data.datasets.layout import NO_IMAGE, ODD_NAME
from genreid.errors import GenreidError
from tests.genreid.data.datasets.trees import rows, write_images


def found(root: Path, train: str, query: str | None = None, gallery: str | None = None):  # type: ignore[no-untyped-def]
    return folder_layout(FolderSettings(train, query, gallery)).find(root)


def test_no_cameras_and_no_identities(tmp_path: Path) -> None:
    write_images(tmp_path, ["a b/Straße 1.JPG", "c.png"])
    (tmp_path / "notes.txt").write_text("stray")
    listing = found(tmp_path, ".*")
    assert rows(listing) == {("a b/Straße 1.JPG", "train", -1, None), ("c.png", "train", -1, None)}
    assert listing.skipped == {NO_IMAGE: ["notes.txt"]}


def test_camera_folders_are_numbered_in_order(tmp_path: Path) -> None:
    write_images(tmp_path, ["entrance/x1.jpg", "hall/x2.jpg", "entrance/x3.jpg", "loose.jpg"])
    listing = found(tmp_path, r"(?P<camera>[^/]+)/.*")
    assert rows(listing) == {
        ("entrance/x1.jpg", "train", 1, None),
        ("entrance/x3.jpg", "train", 1, None),
        ("hall/x2.jpg", "train", 2, None),
    }
    assert listing.skipped == {ODD_NAME: ["loose.jpg"]}


def test_splits_identities_junk_and_distractors(tmp_path: Path) -> None:
    names = ["train/0012_c3_a.png", "ask/0004_c1_a.png", "found/-1_c2_a.png", "found/0000_c2_b.png"]
    write_images(tmp_path, names)
    name = r"(?P<person>-?\d+)_c(?P<camera>\d+)_.*"
    assert rows(found(tmp_path, f"train/{name}", f"ask/{name}", f"found/{name}")) == {
        ("train/0012_c3_a.png", "train", 3, 12),
        ("ask/0004_c1_a.png", "query", 1, 4),
        ("found/-1_c2_a.png", "gallery", 2, -1),
        ("found/0000_c2_b.png", "gallery", 2, 0),
    }


NAME = r"(?P<person>-?\d+)_c(?P<camera>\d+)_.*"


def test_six_persons_from_0_are_six(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{person:04d}_c{camera}_a.png" for person in range(6) for camera in (1, 2)])
    write_images(tmp_path, ["-1_c1_a.png"])
    listing = found(tmp_path, NAME)
    assert {person for _, _, _, person in rows(listing)} == {-1, 1, 2, 3, 4, 5, 6}
    assert count_split(listing.images, "train").identities == 6
    assert ("0003_c2_a.png", "train", 2, 4) in rows(listing)
    (note,) = listing.notes
    assert note.startswith(
        "person 0 is among training images or queries, so persons are taken to be numbered"
    )
    # And what it says to do about it: 0 is nobody in particular.
    advised = note.rpartition(": ")[2]
    nobody_left_out = found(tmp_path, advised + r"_c(?P<camera>\d+)_.*")
    assert {person for _, _, _, person in rows(nobody_left_out)} == {1, 2, 3, 4, 5}
    assert nobody_left_out.notes == ()


@pytest.mark.parametrize(("asked", "persons"), [("0000", {1, 5}), ("0004", {0, 4})])
def test_0_is_a_distractor_in_the_gallery_alone(tmp_path: Path, asked: str, persons: set[int]) -> None:
    names = [f"ask/{asked}_c1_a.png", "found/0000_c2_a.png", "found/0004_c2_a.png"]
    write_images(tmp_path, ["train/x.png", *names])
    listing = found(tmp_path, "train/.*", f"ask/{NAME}", f"found/{NAME}")
    assert {image.person_id for image in listing.images if image.split == "gallery"} == persons
    assert bool(listing.notes) == (asked == "0000")
    assert {image.person_id for image in listing.images if image.split == "train"} == {None}


def test_an_optional_group_leaves_an_image_unlabelled(tmp_path: Path) -> None:
    write_images(tmp_path, ["anna_1.png", "ben_1.png", "1.png"])
    listing = found(tmp_path, r"(?:(?P<person>[a-z]+)_)?\d+\.png")
    assert {(path, person) for path, _, _, person in rows(listing)} == {
        ("anna_1.png", 1),
        ("ben_1.png", 2),
        ("1.png", None),
    }


def test_numbers_that_are_too_large_are_numbered_anew() -> None:
    assert numbers(["07", "3", None], 0, 32767) == {"07": 7, "3": 3}
    assert numbers(["20240131", "20240130"], 0, 32767) == {"20240130": 1, "20240131": 2}
    assert numbers(["-1", "2"], 0, 32767) == {"-1": 1, "2": 2}


@pytest.mark.parametrize(
    ("camera", "person", "expected"),
    [
        ("32767", "2147483646", (32767, 2147483646)),
        ("32768", "2147483647", (1, 1)),
        ("0", "-1", (0, -1)),
        ("-1", "-2", (1, 1)),
    ],
)
def test_numbers_are_kept_as_far_as_a_manifest_has_them(
    tmp_path: Path, camera: str, person: str, expected: tuple[int, int]
) -> None:
    write_images(tmp_path, [f"{camera}_{person}.png"])
    listing = found(tmp_path, r"(?P<camera>-?\d+)_(?P<person>-?\d+)\.png")
    assert rows(listing) == {(f"{camera}_{person}.png", "train", *expected)}


def test_a_folder_that_may_not_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, ["open/a.png", "closed/b.png"])
    scandir = os.scandir

    def scan(path: str | os.PathLike[str]):  # type: ignore[no-untyped-def]
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(
        GenreidError, match=r"closed: Permission denied: make the data set's folders readable"
    ):
        found(tmp_path, ".*")


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    write_images(tmp_path / "real", ["a.png"])
    (tmp_path / "real" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(rows(found(tmp_path, ".*"))) == 1


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("(?P<cam>.*)", None, None), "train: the pattern names a group 'cam'.*did you mean 'camera'"),
        (("(.*", None, None), r"train: '\(\.\*' is no regular expression .*write '\.\*'"),
        ((".*", "q/.*", None), "query and gallery go together"),
    ],
)
def test_impossible_patterns(patterns: tuple[str, str | None, str | None], message: str) -> None:
    with pytest.raises(GenreidError, match=message):
        FolderSettings(*patterns)


def test_patterns_that_fit_nothing_or_the_same_image(tmp_path: Path) -> None:
    write_images(tmp_path, ["cam 1/a.png"])
    message = r"no image fits 'a\\\.png' \(1 images fit no pattern, such as cam 1/a\.png\): set prepare_data"
    with pytest.raises(GenreidError, match=message):
        found(tmp_path, r"a\.png")
    with pytest.raises(GenreidError, match=r"^cam 1/a\.png fits the patterns of train and query"):
        found(tmp_path, ".*", "cam 1/.*", "cam 2/.*")
