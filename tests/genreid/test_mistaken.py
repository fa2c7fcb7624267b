"""Weights and bodies that are something else, as downloads leave them: each is named as what it is."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genreid.body.files import read_body_file
from genreid.errors import GenreidError
from genreid.mesh.romp import missing_parts
from genreid.mesh.settings import RompSettings
from genreid.mistaken import mistaken_for
from genreid.models.weights import read_weights

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 94342912\n"
)
DRIVE = "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>"


def unpacked(path: Path, *, outer: bool) -> None:
    """What a browser leaves that unpacks each zip archive that it fetches."""
    archive = path.with_name("packed.zip")
    torch.save({"weight": torch.ones(2)}, archive)
    with zipfile.ZipFile(archive) as file:
        file.extractall(path)
    if not outer:
        (top,) = path.iterdir()
        for inner in list(top.iterdir()):
            inner.rename(path / inner.name)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pointer": (lambda path: path.write_text(POINTER), r"a pointer of Git LFS .*: run `git lfs pull` in the"),
    "page": (lambda path: path.write_text("\ufeff\n " + DRIVE), "an HTML page, .*: download it again"),
    "page in capitals": (lambda path: path.write_text("<HTML><BODY>403"), "an HTML page, "),
    "server's error": (
        lambda path: path.write_text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
        "an XML page, .*: download it again",
    ),
    "unpacked": (
        lambda path: unpacked(path, outer=True),
        "a folder, as unpacking a torch file .* leave it packed",
    ),
    "its inside": (lambda path: unpacked(path, outer=False), "a folder, as unpacking a torch file leaves it"),
    "folder": (lambda path: path.mkdir(), "a folder: name a file in it"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors", "body.npz", "body.pkl", "ROMP.pkl"])
def test_it_is_told_in_one_line_what_a_file_is(tmp_path: Path, kind: str, name: str) -> None:
    make, expected = KINDS[kind]
    path = tmp_path / name
    make(path)
    if name == "ROMP.pkl":
        missing = missing_parts(RompSettings(str(path), str(path), 0.25, 256, 0.1, 0.5, "drop"))
        lines = [missing["weights"], missing["smpl"]]
    else:
        with pytest.raises(GenreidError) as caught:
            read_body_file(path) if name.startswith("body") else read_weights(path, "a remedy")
        lines = [str(caught.value)]
    for line in lines:
        assert "\n" not in line and str(path) in line
        assert re.search(f"(?:is|are) {expected}", line), line


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"<weights>", b"version 2"])
def test_nothing_is_said_against_other_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    assert mistaken_for(path) is None, "a missing file is told of by who looks for it"
    path.write_bytes(content)
    assert mistaken_for(path) is None


def test_a_real_file_is_none(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.pth")
    assert mistaken_for(tmp_path / "weights.pth") is None
    assert torch.equal(read_weights(tmp_path / "weights.pth", "")["weight"], torch.ones(2))
