"""What stands in the place of a file of weights or a body when its download or its clone went wrong."""

from __future__ import annotations

from pathlib import Path

_HEAD_BYTES = 512
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")
_AGAIN = "download it again, by hand in a browser"


def mistaken_for(path: Path) -> str | None:
    """What it is instead, a colon, and what to do about it; None where nothing is known against the file.

    Raises OSError where it cannot be read.
    """
    if path.is_dir():
        if (path / "data.pkl").exists() or any(path.glob("*/data.pkl")):
            return "a folder, as unpacking a torch file leaves it: get the file again and leave it packed"
        return "a folder: name a file in it"
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(_LFS_POINTER):
        return "a pointer of Git LFS and not the file itself: run `git lfs pull` in the clone that it is from"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_HTML):
        return f"an HTML page, as a site shows it in place of a download: {_AGAIN}"
    if text.startswith(b"<?xml"):
        return f"an XML page, with which a server answers that it will not send a file: {_AGAIN}"
    return None
