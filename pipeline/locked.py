"""What dvc.lock says that earlier runs have made: outs of versions that put no mark into them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.params import load_params


class Locked:
    """The outs of the project at `root`, by its dvc.lock, which is read when it is first asked."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    def has_made(self, out: Path, files: Sequence[Path]) -> bool:
        """Whether these files are of the out at this path, with the content that dvc.lock knows.

        files: the out itself, or files in its folder. DVC's cache knows every file of a folder; without it,
        the folder has to be as a whole what it was.
        """
        made = self._hashes.get(os.path.abspath(out))
        if made is None:
            return False
        if not made.endswith(".dir"):
            return all(_md5(file) == made for file in files)
        known = self._of_folder(made)
        if known is None:
            return folder_hash(out) == made
        return all(known.get(file.relative_to(out).as_posix()) == _md5(file) for file in files)

    def is_cached(self, link: Path) -> bool:
        """Whether a link leads into DVC's cache, where its target may have been collected since."""
        return self._root is not None and Path(os.path.realpath(link)).is_relative_to(self._cache.resolve())

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """MD5 by absolute path."""
        lock = None if self._root is None else self._root / "dvc.lock"
        if lock is None or not lock.is_file():
            return {}
        try:
            stages = load_params(lock).values.get("stages") or {}
            outs = [out for stage in stages.values() for out in stage.get("outs", ())]
            return {os.path.abspath(lock.parent / out["path"]): str(out["md5"]) for out in outs}
        except (PipelineError, AttributeError, KeyError, TypeError):  # DVC will say what is wrong with it
            return {}

    @cached_property
    def _cache(self) -> Path:
        assert self._root is not None
        folder = next((up for up in (self._root, *self._root.parents) if (up / ".dvc").is_dir()), self._root)
        config = ConfigParser(interpolation=None, strict=False)
        try:
            config.read([folder / ".dvc" / "config", folder / ".dvc" / "config.local"], encoding="utf-8")
        except (ConfigError, UnicodeDecodeError):
            return folder / ".dvc" / "cache"
        return folder / ".dvc" / os.path.expanduser(config.get("cache", "dir", fallback="cache"))

    def _of_folder(self, made: str) -> dict[str, str] | None:
        try:
            listed: list[Any] = json.loads((self._cache / "files" / "md5" / made[:2] / made[2:]).read_bytes())
            return {entry["relpath"]: entry["md5"] for entry in listed}
        except (OSError, ValueError, KeyError, TypeError):
            return None


def folder_hash(folder: Path) -> str:
    """What DVC 3 calls a folder by: the MD5 of its files' names and MD5s, as JSON."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    entries = [{"md5": _md5(file), "relpath": file.relative_to(folder).as_posix()} for file in files]
    text = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}.dir"


def _md5(file: Path) -> str:
    if not file.is_file():  # a link to nothing, a pipe
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
