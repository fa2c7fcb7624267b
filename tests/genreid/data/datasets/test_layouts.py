"""Published data sets in their own naming: what is read, what is skipped, what is missed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genreid.data.datasets.counts import differences
from genreid.data.datasets.cuhk03 import CUHK03_DETECTED, CUHK03_LABELLED
from genreid.data.datasets.dukemtmc import DUKEMTMC
from genreid.data.datasets.folder import FolderSettings
from genreid.data.datasets.layout import NO_IMAGE, NOT_UTF8, ODD_NAME, Count, ImageFile
from genreid.data.datasets.market1501 import MARKET1501
from genreid.data.datasets.msmt17 import MSMT17
from genreid.data.datasets.registry import PUBLISHED, layout_named, layout_names
from genreid.errors import GenreidError
from tests.genreid.data.datasets.trees import rows, write_images

MARKET = {
    "bounding_box_train/0002_c1s1_000451_03.jpg": ("train", 1, 2),
    "bounding_box_train/0002_c6s4_002202_01.JPG": ("train", 6, 2),
    "query/0001_c1s1_001051_00.jpg": ("query", 1, 1),
    "bounding_box_test/0001_c2s1_000301_00.jpg": ("gallery", 2, 1),
    "bounding_box_test/0000_c3s1_000551_00.jpg": ("gallery", 3, 0),
    "bounding_box_test/-1_c4s1_000401_03.jpg": ("gallery", 4, -1),
}
MARKET_ROWS = {(path, *row) for path, row in MARKET.items()}


@pytest.mark.parametrize("nested", ["", "Market-1501-v15.09.15", "archive/Market-1501-v15.09.15"])
def test_market1501(tmp_path: Path, nested: str) -> None:
    home = tmp_path / "Überwachung 2015" / nested
    write_images(home, MARKET)
    write_images(home, ["gt_bbox/0001_c1s1_001051_00.jpg"])
    (home / "readme.txt").write_text("six cameras")
    (home / "query" / "Thumbs.db").write_bytes(b"stray")
    (home / "query" / "._0001_c1s1_001051_00.jpg").write_bytes(b"left by another system")
    write_images(home, ["query/holiday.jpg"])

    listing = MARKET1501.find(tmp_path / "Überwachung 2015")
    assert listing.root == home
    assert rows(listing) == MARKET_ROWS
    assert listing.skipped == {
        NO_IMAGE: ["query/._0001_c1s1_001051_00.jpg", "query/Thumbs.db"],
        ODD_NAME: ["query/holiday.jpg"],
    }


def test_dukemtmc(tmp_path: Path) -> None:
    write_images(
        tmp_path / "DukeMTMC-reID",
        [
            "bounding_box_train/0001_c2_f0046182.jpg",
            "query/0005_c2_f0046985.jpg",
            "bounding_box_test/0005_c8_f0085921.jpg",
        ],
    )
    assert rows(DUKEMTMC.find(tmp_path)) == {
        ("bounding_box_train/0001_c2_f0046182.jpg", "train", 2, 1),
        ("query/0005_c2_f0046985.jpg", "query", 2, 5),
        ("bounding_box_test/0005_c8_f0085921.jpg", "gallery", 8, 5),
    }


def test_one_folder_with_several_data_sets(tmp_path: Path) -> None:
    """Their folders have the same names; what tells them apart is the names of the images."""
    write_images(tmp_path / "market", MARKET)
    write_images(tmp_path / "duke", ["bounding_box_train/0001_c2_f0046182.jpg"])
    assert MARKET1501.find(tmp_path).root == tmp_path / "market"
    assert DUKEMTMC.find(tmp_path).root == tmp_path / "duke"
    write_images(tmp_path / "copy of market", MARKET)
    with pytest.raises(GenreidError, match=r"2 folders look like Market-1501 \(.*set paths\.dataset to one"):
        MARKET1501.find(tmp_path)


def test_another_data_set_of_the_same_folders_is_told_apart(tmp_path: Path) -> None:
    write_images(tmp_path / "DukeMTMC-reID", ["bounding_box_train/0001_c2_f0046182.jpg"])
    message = (
        r"reID/bounding_box_train is not that of Market-1501, .*set prepare_data\.dataset to the data set"
    )
    with pytest.raises(GenreidError, match=message):
        MARKET1501.find(tmp_path)


def test_crops_of_a_tracker_in_the_same_folders_point_to_the_layout_for_any(tmp_path: Path) -> None:
    """As tools of multi-object tracking write them to train a re-identification network on."""
    for name in ("bounding_box_train", "query", "bounding_box_test"):
        write_images(tmp_path, [f"{name}/0000001_MOT17-02-FRCNN_0000001_acc_data.bmp"])
    with pytest.raises(GenreidError) as caught:
        MARKET1501.find(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/bounding_box_train is not that of Market-1501, whose names are like "
        "0002_c1s1_000451_03.jpg and not like 0000001_MOT17-02-FRCNN_0000001_acc_data.bmp: set "
        "prepare_data.dataset to the data set that it is, to `folder` with patterns of your own for "
        "any other, "
        "or paths.dataset to the folder of Market-1501"
    )
    name = r"(?P<person>\d+)_(?P<camera>MOT17-\d+).*"
    listing = layout_named("folder", FolderSettings(f"bounding_box_train/{name}", None, None)).find(tmp_path)
    assert rows(listing) == {
        ("bounding_box_train/0000001_MOT17-02-FRCNN_0000001_acc_data.bmp", "train", 1, 1)
    }


MSMT_LISTS = {
    "list_train.txt": "0000/0000_000_01_0303morning_0008_0.jpg 0\n",
    "list_val.txt": "0000/0000_001_14_0303morning_0020_1.jpg 0\n\n",
    "list_query.txt": "0000/0000_000_05_0303noon_0001_0.jpg 0\n",
    "list_gallery.txt": "0000/0000_001_15_0303noon_0002_0.jpg 0\n0007/0007_000_09_0302noon_0003_2.jpg 7\n",
}


@pytest.mark.parametrize("folders", [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_msmt17(tmp_path: Path, folders: tuple[str, str]) -> None:
    train, test = folders
    home = tmp_path / "MSMT17_V1"
    for name, text in MSMT_LISTS.items():
        folder = train if name in ("list_train.txt", "list_val.txt") else test
        write_images(home / folder, [line.split()[0] for line in text.splitlines() if line])
        (home / name).write_text(text)
    assert rows(MSMT17.find(tmp_path)) == {
        (f"{train}/0000/0000_000_01_0303morning_0008_0.jpg", "train", 1, 1),
        (f"{train}/0000/0000_001_14_0303morning_0020_1.jpg", "train", 14, 1),
        (f"{test}/0000/0000_000_05_0303noon_0001_0.jpg", "query", 5, 10_001),
        (f"{test}/0000/0000_001_15_0303noon_0002_0.jpg", "gallery", 15, 10_001),
        (f"{test}/0007/0007_000_09_0302noon_0003_2.jpg", "gallery", 9, 10_008),
    }


def msmt17(home: Path, *without: str, replacing: tuple[str, str] = ("/", "/")) -> Path:
    """Without some of the lists."""
    for name, text in MSMT_LISTS.items():
        folder = "train" if name in ("list_train.txt", "list_val.txt") else "test"
        write_images(home / folder, [line.split()[0] for line in text.splitlines() if line])
        if name not in without:
            (home / name).write_text(text.replace(*replacing))
    return home


def test_lists_with_backslashes_are_those_with_slashes(tmp_path: Path) -> None:
    plain = rows(MSMT17.find(msmt17(tmp_path / "plain")))
    listing = MSMT17.find(msmt17(tmp_path / "windows", replacing=("/", "\\")))
    assert "\\" in (tmp_path / "windows" / "list_train.txt").read_text()
    assert rows(listing) == plain
    assert all((tmp_path / "windows" / image.path).is_file() for image in listing.images)


@pytest.mark.parametrize(
    ("without", "there"),
    [
        ("list_val.txt", "list_train.txt"),
        ("list_query.txt", "list_gallery.txt"),
        ("list_gallery.txt", "list_query.txt"),
    ],
)
def test_one_list_of_two_is_not_enough(tmp_path: Path, without: str, there: str) -> None:
    with pytest.raises(GenreidError) as caught:
        MSMT17.find(msmt17(tmp_path, without))
    assert str(caught.value) == (
        f"{tmp_path}: there is {there} and no {without}: put the data set's own {without} beside it, or read "
        "the images without lists by prepare_data.dataset: folder"
    )


def test_without_any_list_the_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        GenreidError, match=r"no list_train\.txt as MSMT17 has it.* to `folder` with patterns"
    ):
        MSMT17.find(msmt17(tmp_path, *MSMT_LISTS))
    with pytest.raises(GenreidError, match=r"no list_train\.txt as MSMT17 has it"):
        MSMT17.find(msmt17(tmp_path, "list_train.txt"))


def test_training_goes_without_the_test_lists(tmp_path: Path) -> None:
    listing = MSMT17.find(msmt17(tmp_path, "list_query.txt", "list_gallery.txt"))
    assert {image.split for image in listing.images} == {"train"}
    assert len(list(differences(MSMT17, listing.images))) == 4, "and is told to be less than the whole"


def test_a_list_in_another_encoding_is_named(tmp_path: Path) -> None:
    msmt17(tmp_path)
    (tmp_path / "list_val.txt").write_bytes("0000/0000_000_01_Straße.jpg 0\n".encode("latin-1"))
    with pytest.raises(
        GenreidError, match=r"list_val\.txt is no text in UTF-8: take the data set's own list"
    ):
        MSMT17.find(tmp_path)


def test_a_list_of_another_kind_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in MSMT_LISTS:
        (tmp_path / name).touch()
    (tmp_path / "list_train.txt").write_text(MSMT_LISTS["list_train.txt"] + "0001/picture.jpg 1\n")
    with pytest.raises(GenreidError, match=r"list_train\.txt:2: expected a path such as .*picture\.jpg 1"):
        MSMT17.find(tmp_path)
    (tmp_path / "train").rmdir()
    with pytest.raises(GenreidError, match="neither train nor mask_train_v2"):
        MSMT17.find(tmp_path)


def test_cuhk03_labelled_and_detected(tmp_path: Path) -> None:
    home = tmp_path / "cuhk03-np"
    names = ["bounding_box_train/0003_c1_21.png", "query/0002_c1_7.png", "bounding_box_test/0002_c2_12.png"]
    write_images(home / "labeled", names)
    write_images(home / "detected", names[:2])
    expected = {
        ("bounding_box_train/0003_c1_21.png", "train", 1, 3),
        ("query/0002_c1_7.png", "query", 1, 2),
        ("bounding_box_test/0002_c2_12.png", "gallery", 2, 2),
    }
    for given in (tmp_path, home, home / "labeled"):
        listing = CUHK03_LABELLED.find(given)
        assert listing.root == home / "labeled" and rows(listing) == expected
    assert CUHK03_DETECTED.find(tmp_path).root == home / "detected"
    assert len(CUHK03_DETECTED.find(tmp_path).images) == 2


@pytest.mark.parametrize("lacking", [os.R_OK, os.X_OK])
def test_a_folder_beside_it_that_may_not_be_looked_into_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: int
) -> None:
    write_images(tmp_path / "archive" / "market", MARKET)
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def access(path: str | os.PathLike[str], mode: int) -> bool:
        return not (str(path).endswith("closed") and mode & lacking)

    def scan(path: str | os.PathLike[str]):  # type: ignore[no-untyped-def]
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "scandir", scan)
    assert MARKET1501.find(tmp_path).root == tmp_path / "archive" / "market"


@pytest.mark.parametrize("layout", PUBLISHED.values(), ids=lambda layout: layout.name)
def test_a_folder_without_the_data_set_names_it_and_the_remedy(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    write_images(tmp_path, ["holiday/beach.jpg"])
    with pytest.raises(GenreidError, match=r"^\S+: no \S+ as .* has it.*: set paths\.dataset to the folder"):
        layout.find(tmp_path)
    assert layout.citation and set(layout.official) == {"train", "query", "gallery"}


def test_a_name_that_is_not_utf8_is_skipped_and_told(tmp_path: Path) -> None:
    write_images(tmp_path, MARKET)
    name = b"0007_c1s1_000451_03\xff.jpg"
    path = Path(os.fsdecode(bytes(tmp_path) + b"/query/" + name))
    try:
        path.write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert len(MARKET1501.find(tmp_path).skipped[NOT_UTF8]) == 1


def test_differences_name_what_is_missing() -> None:
    images = [ImageFile(f"{n}", "train", 1 + n % 7, 1 + n % 700) for n in range(12_000)]
    images += [ImageFile(f"q{n}", "query", 1, 1 + n % 750) for n in range(3_368)]
    images += [ImageFile(f"g{n}", "gallery", 1, (n % 753) - 1) for n in range(19_800)]
    assert list(differences(MARKET1501, images)) == [
        "market1501: train has 12,000 images of 700 identities, officially 12,936 of 751: "
        "936 images missing, 51 identities missing",
        "market1501: gallery has 19,800 images of 751 identities, officially 19,732 of 750: "
        "68 images too many, 1 identities too many",
        "market1501: unknown camera 7",
    ]
    assert MARKET1501.official["query"] == Count(3_368, 750)


OFFICIAL = {
    "market1501": (12_936, 751, 3_368, 750, 19_732, 750, 6),
    "dukemtmc": (16_522, 702, 2_228, 702, 17_661, 1_110, 8),
    "msmt17": (32_621, 1_041, 11_659, 3_060, 82_161, 3_060, 15),
    "cuhk03_labelled": (7_368, 767, 1_400, 700, 5_328, 700, 2),
    "cuhk03_detected": (7_365, 767, 1_400, 700, 5_332, 700, 2),
    "ltcc": (9_576, 77, 493, 75, 7_050, 75, 12),
}
"""Images and identities of train, query and gallery, and cameras, from the tables of the papers."""


def test_official_counts_are_those_of_the_papers() -> None:
    counts = {
        name: (
            *(
                number
                for split in ("train", "query", "gallery")
                for number in vars(layout.official[split]).values()
            ),
            layout.num_cameras,
        )
        for name, layout in PUBLISHED.items()
    }
    assert counts == OFFICIAL


def test_the_registry_names_the_nearest() -> None:
    settings = FolderSettings(".*", None, None)
    for name in layout_names():
        assert layout_named(name, settings).name == name
    with pytest.raises(GenreidError, match=r"called 'market-1501': expected .*did you mean 'market1501'"):
        layout_named("market-1501", settings)
