"""`prepare-data` on data sets that were not made here."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow.parquet as pq
import pytest

from genreid.data import files
from genreid.data.datasets.layout import Listing
from genreid.data.datasets.registry import layout_names
from genreid.data.manifest import Manifest
from genreid.render.contact_sheet import MOST_COLUMNS, MOST_ROWS
from pipeline.artifacts import FOLDER_MARK
from stages.shared.external import _cells_from_all_over, _skipped_lines
from stages.shared.settings.prepare_data import DatasetName
from tests.genreid.data.datasets.test_layouts import MARKET, MSMT_LISTS
from tests.genreid.data.datasets.trees import write_images
from tests.stages.small_project import ROOT, SmallProject


def manifest(project: SmallProject) -> Manifest:
    return Manifest.from_table(pq.read_table(project.folder / "data" / "manifest.parquet"))


def test_every_layout_can_be_asked_for() -> None:
    assert sorted(get_args(DatasetName)) == sorted([*layout_names(), "synthetic"])


@pytest.mark.parametrize("absolute", [False, True])
def test_a_published_data_set(small: SmallProject, absolute: bool) -> None:
    home = small.folder / "my data" / "Market-1501-v15.09.15"
    write_images(home, MARKET)
    (home / "query" / "Thumbs.db").write_bytes(b"")
    broken = home / "bounding_box_train" / "0002_c6s4_002202_01.JPG"
    broken.write_bytes(broken.read_bytes()[:-40])
    given = small.folder / "my data" if absolute else Path("my data")
    small.set(prepare_data__dataset="market1501", paths__dataset=str(given))

    done = small.run("prepare-data", "--no-progress")
    assert done.code == 0, done.err
    assert "warning: market1501: train has 2 images of 1 identities, officially 12,936 of 751" in done.out
    assert "Scalable Person Re-identification" in done.out  # what to cite
    assert "warning: 1 files are left out (no image file): 'query/Thumbs.db'" in done.out
    row = next(line for line in done.out.splitlines() if "train" in line and "│" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["train", "2", "1", "1", "2"]

    made = manifest(small)
    assert made.info.root == f"{given.as_posix()}/Market-1501-v15.09.15"
    assert made.image_id == made.path == sorted(MARKET)
    assert set(zip(made.split, made.camera_id, made.person_id, strict=True)) == set(MARKET.values())
    bad = made.table.filter(made.status == "unreadable").to_pylist()
    assert [row["path"] for row in bad] == ["bounding_box_train/0002_c6s4_002202_01.JPG"]
    assert "truncated" in bad[0]["detail"] and bad[0]["height"] is None
    assert made.num_bytes[0] == (home / made.path[0]).stat().st_size

    # What DVC wants of every data set is there, and says that nothing was made.
    assert pq.read_table(small.folder / "data" / "truth.parquet").num_rows == 0
    there = {path.name for path in (small.folder / "data" / "images").iterdir()}
    assert there == {"README.txt", FOLDER_MARK}
    assert (small.folder / "plots" / "prepare-data" / "contact_sheet.png").stat().st_size > 100
    kept = json.loads((small.folder / "provenance" / "prepare-data.json").read_text())
    assert len(kept["warnings"]) == 6  # three splits, camera 5, one stray file, one that cannot be read
    told = "1 images cannot be read and take no part: 'bounding_box_train/0002_c6s4_002202_01.JPG'"
    assert kept["warnings"][-1].startswith(told)


def test_files_that_are_left_out_are_counted_by_reason_and_one_is_named() -> None:
    skipped = {"no image file": ["b.txt", "c.txt", "d.txt"], "name does not fit": ["a.jpg"]}
    assert _skipped_lines(Listing(Path(), [], skipped)) == [
        "1 files are left out (name does not fit): 'a.jpg'",
        "3 files are left out (no image file): 'b.txt' and others",
    ]


@pytest.mark.parametrize("num", [1, 20, 5000])
def test_without_identities_images_from_all_over_are_shown(num: int) -> None:
    rows = _cells_from_all_over(num)
    shown = [cell for row in rows for cell in row if cell is not None]
    assert shown == sorted(set(shown)) and (shown[0], shown[-1]) == (0, num - 1)
    assert len(shown) == min(num, MOST_ROWS * MOST_COLUMNS)
    assert {len(row) for row in rows[:-1]} <= {MOST_COLUMNS}
    apart = np.diff(shown)
    assert num == 1 or apart.max() - apart.min() <= 1, "evenly"


def test_images_that_a_list_names_and_nobody_has(small: SmallProject) -> None:
    """The counts of MSMT17 are those of its lists: half of the images may be missing all the same."""
    home = small.folder / "MSMT17_V2"
    for name, text in MSMT_LISTS.items():
        part = "train" if name in ("list_train.txt", "list_val.txt") else "test"
        (home / f"mask_{part}_v2").mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    write_images(home / "mask_train_v2", [MSMT_LISTS["list_train.txt"].split()[0]])
    small.set(prepare_data__dataset="msmt17", paths__dataset="MSMT17_V2")
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 0, done.err
    first = "'mask_train_v2/0000/0000_001_14_0303morning_0020_1.jpg' (No such file or directory) and others"
    told = f"warning: 4 images cannot be read and take no part: {first}; data/manifest.parquet has the reason"
    assert told in done.out
    assert Counter(manifest(small).status) == {"ok": 1, "unreadable": 4}


def test_a_home_folder(small: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(small.folder / "home" / "crops", ["a.png"])
    monkeypatch.setenv("HOME", str(small.folder / "home"))
    small.set(prepare_data__dataset="folder", paths__dataset="~/crops")
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 0, done.err
    assert manifest(small).info.root == f"{small.folder}/home/crops"
    small.set(paths__dataset="~nobody-of-that-name/crops")
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 2 and "paths.dataset: ~nobody-of-that-name/crops is no folder" in done.err


def test_validation_identities_come_out_of_the_training_ones(small: SmallProject) -> None:
    write_images(
        small.folder / "set", [f"{p}_{c}_{n}.png" for p in (1, 2, 3) for c in (1, 2) for n in (1, 2)]
    )
    small.set(
        prepare_data__dataset="folder",
        paths__dataset="set",
        prepare_data__folder__train=r"(?P<person>\d+)_(?P<camera>\d)_.*",
        prepare_data__val_identities=1,
    )
    assert small.run("prepare-data", "--no-progress").code == 0
    splits = manifest(small).split.tolist()
    assert [splits.count(name) for name in ("train", "val_query", "val_gallery")] == [8, 2, 2]


def test_without_any_readable_image(small: SmallProject) -> None:
    (small.folder / "set").mkdir()
    (small.folder / "set" / "a.jpg").write_text("not one")
    small.set(prepare_data__dataset="folder", paths__dataset="set")
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 2
    assert done.err == (
        "error: set: none of 1 images can be read (a.jpg: no image): look for an incomplete copy\n"
    )


def test_an_interruption_does_not_join_two_data_sets(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(small.folder / "set", ["a.png", "b.png"])
    small.set(prepare_data__dataset="folder", paths__dataset="set")

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stages.shared.external.read_pieces", interrupt)
        assert small.run("prepare-data", "--no-progress").code == 130
    (small.folder / "set" / "b.png").rename(small.folder / "set" / "c.png")
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 0, done.err
    assert "1 files changed since prepare-data was interrupted; looked over again" in done.out
    assert manifest(small).path == ["a.png", "c.png"]


def test_what_was_kept_of_a_file_is_not_believed_of_another(small: SmallProject) -> None:
    """As a user mends a data set: all of it could not be read, so it is copied again, and the same is run."""
    home = small.folder / "set"
    write_images(home, ["a.png", "b.png"])
    good = {path.name: path.read_bytes() for path in home.iterdir()}
    for name, content in good.items():
        (home / name).write_bytes(b"?" * len(content))  # of the same size
    small.set(prepare_data__dataset="folder", paths__dataset="set")
    assert "none of 2 images can be read" in small.run("prepare-data", "--no-progress").err
    for name, content in good.items():
        (home / name).write_bytes(content)
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 0, done.err
    assert manifest(small).status.tolist() == ["ok", "ok"]


def test_a_failing_disk_stops_and_what_was_looked_over_is_kept(
    small: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.png" for number in range(4)]
    write_images(small.folder / "set", names)
    small.set(prepare_data__dataset="folder", paths__dataset="set")
    monkeypatch.setattr("stages.shared.external._IMAGES_PER_PIECE", 1)
    opened = files._opened
    looked_at: list[str] = []
    failing = ["2.png"]

    def fail(path: str, flags: int) -> int:
        looked_at.append(Path(path).name)
        if looked_at[-1] in failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, flags)

    monkeypatch.setattr(files, "_opened", fail)
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 2 and not (small.folder / "data" / "manifest.parquet").exists()
    assert done.err == (
        f"error: {small.folder}/set/2.png: Input/output error: look at the disk, and run the command again\n"
    )
    looked_at.clear()
    failing.clear()
    assert small.run("prepare-data", "--no-progress").code == 0
    assert manifest(small).status.tolist() == ["ok"] * 4
    assert looked_at[:2] == ["2.png", "3.png"], "the first two are kept"


@pytest.mark.slow
@pytest.mark.parametrize("limit", [40, 80, 160])
def test_too_few_descriptors_make_no_picture_unreadable(small: SmallProject, limit: int) -> None:
    write_images(small.folder / "set", [f"{number:03d}.png" for number in range(200)])
    small.set(prepare_data__dataset="folder", paths__dataset="set")
    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))\n"
        "sys.argv[1:] = ['prepare-data', '--no-progress', '--workers', '150']\n"
        "from stages.cli import main\n"
        "main()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert "Too many open files" in done.stderr and "ulimit -n" in done.stderr
    else:
        assert manifest(small).status.tolist() == ["ok"] * 200


@pytest.mark.parametrize("dataset", ["synthetic", "folder"])
def test_a_body_that_is_not_there_is_told_before_any_worker(small: SmallProject, dataset: str) -> None:
    write_images(small.folder / "set", ["a.png"])
    small.set(prepare_data__dataset=dataset, paths__dataset="set", prepare_data__body="nosuch.npz")
    done = small.run("prepare-data", "--no-progress")
    assert done.code == 2 and done.err.count("\n") == 1, done.err
    assert f"no body file at '{small.folder}/nosuch.npz'" in done.err
