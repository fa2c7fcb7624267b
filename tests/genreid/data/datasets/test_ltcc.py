"""LTCC in its own naming."""

from __future__ import annotations

from pathlib import Path

from genreid.data.datasets.layout import NO_IMAGE, ODD_NAME
from genreid.data.datasets.ltcc import LTCC
from tests.genreid.data.datasets.trees import rows, write_images


def test_ltcc(tmp_path: Path) -> None:
    home = tmp_path / "LTCC_ReID"
    write_images(
        home, ["train/094_1_c9_015923.png", "train/013_2_c12_006327.png", "query/001_1_c11_000100.png"]
    )
    write_images(home, ["test/001_2_c3_000200.png", "test/0001_c1s1_000451_03.jpg"])
    (home / "info").mkdir()
    (home / "info" / "cloth-change_id_test.txt").write_text("1\n")
    (home / "test" / "Thumbs.db").write_bytes(b"stray")
    listing = LTCC.find(tmp_path)
    assert listing.root == home
    assert rows(listing) == {
        ("train/094_1_c9_015923.png", "train", 9, 94),
        ("train/013_2_c12_006327.png", "train", 12, 13),
        ("query/001_1_c11_000100.png", "query", 11, 1),
        ("test/001_2_c3_000200.png", "gallery", 3, 1),
    }
    assert listing.skipped == {NO_IMAGE: ["test/Thumbs.db"], ODD_NAME: ["test/0001_c1s1_000451_03.jpg"]}
