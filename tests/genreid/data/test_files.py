"""Whose fault it is when a picture cannot be read: only the file's own is a fact about the picture."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genreid.body.files import read_body_file
from genreid.data import files
from genreid.data.images import ImageSet, read_image
from genreid.data.inspection import inspect_image
from genreid.data.manifest import Manifest, ManifestInfo
from genreid.deployment.gallery import _read
from genreid.errors import GenreidError
from genreid.models.weights import read_weights
from pipeline.artifacts import stamp
from tests.genreid.data.datasets.trees import write_images

INFO = ManifestInfo(dataset="tiny", root=".", height_px=4, width_px=2, body="open")
ROW = {"image_id": "a.png", "path": "a.png", "split": "train", "camera_id": -1, "status": "ok"}

OF_THE_MACHINE = [
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EIO,
    errno.EACCES,
    errno.ESTALE,
    errno.ENOTCONN,
]


def readers(path: Path) -> dict[str, Callable[[], Any]]:
    """Everything that turns a picture's file into pixels, or into a status."""
    images = ImageSet(path.parent, Manifest.from_rows([ROW], INFO))
    return {
        "inspection": lambda: inspect_image(path, path.parent),
        "image": lambda: read_image(path, path.parent),
        "training": lambda: images.load(np.array([0])),
        "embed": lambda: _read(path, path.parent),
    }


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_images(tmp_path, ["a.png", "b.png"])
    return tmp_path / "a.png"


@pytest.fixture
def no_descriptors() -> Iterator[None]:
    """Not one more file can be opened."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 256), limits[1]))
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        assert error.errno == errno.EMFILE
    yield
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("reader", ["inspection", "image", "training", "embed"])
@pytest.mark.parametrize("number", OF_THE_MACHINE, ids=errno.errorcode.get)
def test_what_the_machine_cannot_read_is_no_fact_about_a_picture(
    picture: Path, monkeypatch: pytest.MonkeyPatch, reader: str, number: int
) -> None:
    read = readers(picture)[reader]

    def fail(path: str, flags: int) -> int:
        raise OSError(number, os.strerror(number))  # without a name, as a failing read does

    monkeypatch.setattr(files, "_opened", fail)
    with pytest.raises(OSError) as told:
        read()
    assert told.value.errno == number and told.value.filename == str(picture)


@pytest.mark.parametrize("reader", ["inspection", "image", "training", "embed"])
def test_without_descriptors_nothing_is_unreadable(picture: Path, no_descriptors: None, reader: str) -> None:
    with pytest.raises(OSError, match="Too many open files"):
        readers(picture)[reader]()


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "gone"])
def test_a_folder_that_is_no_longer_connected_stops(picture: Path, is_there: bool) -> None:
    reads = readers(picture)
    for path in picture.parent.iterdir():
        path.unlink()
    if not is_there:
        picture.parent.rmdir()
    for read in reads.values():
        with pytest.raises(OSError, match="is gone, or empty") as told:
            read()
        assert told.value.filename == str(picture.parent)


def test_a_file_that_nobody_has_is_its_own_fault(picture: Path) -> None:
    picture.unlink()
    picture.symlink_to("nowhere.png")
    reads = readers(picture)
    assert reads["inspection"]().detail == reads["embed"]() == "No such file or directory"
    for name in ("image", "training"):
        with pytest.raises(GenreidError, match=r"a\.png: No such file.*run `genreid prepare-data` again"):
            reads[name]()


def test_memory_that_a_decoder_lacks_is_the_machines(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", full)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", full)
    with pytest.raises(MemoryError):
        inspect_image(picture)


def test_files_that_cannot_be_opened_are_not_damaged(tmp_path: Path, no_descriptors: None) -> None:
    for name in ("a.npz", "a.pkl", "a.pth"):
        with pytest.raises(OSError, match="Too many open files"):
            read_body_file(_touched(tmp_path / name))
    with pytest.raises(OSError, match="Too many open files"):
        read_weights(_touched(tmp_path / "a.pt"), "get it anew")


def _touched(path: Path) -> Path:
    os.mknod(path)
    return path


@pytest.mark.timeout(20)  # a pipe that is opened like a file waits for a writer
@pytest.mark.parametrize("kind", ["pipe", "device", "NUL"])
def test_what_is_no_ordinary_file_is_a_fact_about_the_picture(picture: Path, kind: str) -> None:
    picture.unlink()
    if kind == "pipe":
        os.mkfifo(picture)
    elif kind == "device":
        picture.symlink_to("/dev/zero")
    else:
        picture = picture.parent / "a\0.png"
    expected = "no ordinary file" if kind != "NUL" else "no file can have this name"
    facts = inspect_image(picture, picture.parent)
    assert facts.status == "unreadable" and str(facts.detail).startswith(expected)
    with pytest.raises(GenreidError, match=expected):
        read_image(picture, picture.parent)


def test_a_list_that_names_what_can_be_no_file_is_looked_over(tmp_path: Path) -> None:
    assert stamp(tmp_path / "a\0.png") == "-"
