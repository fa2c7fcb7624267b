"""Checks of where the run works: a repository that DVC takes, and folders that can be written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.committing import NAME_AN_AUTHOR, knows_author
from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding, first_line, install_again
from stages.shared.run import PRODUCERS, Project


def _repository(configuration: Configuration) -> Finding:
    """Whether DVC opens the project and reads its graph, as the first thing that `dvc repro` does."""
    root = configuration.project.root
    if not any((folder / ".dvc").is_dir() for folder in (root, *root.parents)):
        return Finding("missing", f"{root} has no folder .dvc", "copy the project whole, or run `dvc init`")
    try:
        from dvc.repo import Repo
        from dvc.scm import NoSCM, SCMError
    except ImportError as error:
        found = f"DVC does not import ({first_line(error)})"
        return Finding("missing", found, f"install it by {install_again()}")
    try:
        with Repo(str(root)) as repo:
            repo.index.check_graph()
            has_git = not isinstance(repo.scm, NoSCM)
    except SCMError as error:
        to_do = "run `git init`, or `dvc config --local core.no_scm true` to do without, as `make repro` does"
        return Finding("missing", first_line(error), to_do)
    except Exception as error:  # what DVC has against its files, it says in a dozen kinds
        return Finding("missing", first_line(error), "put in order what it names: `dvc repro` says the same")
    if not has_git:
        return Finding("note", "DVC does without git", "run `git init` for `dvc exp run` and studies")
    if not knows_author(root):
        found = "git knows no author, and `dvc exp run` and studies commit"
        return Finding("note", found, f"for these: {NAME_AN_AUTHOR}")
    return Finding("ok", "DVC reads it, git keeps it")


def _folders(configuration: Configuration) -> Finding:
    """Whether every folder that the run writes in can be written in, or made."""
    for path in _written(configuration.project):
        folder = nearest_folder(path)
        if not folder.is_dir():
            return Finding("missing", f"{folder} is no folder, as {path} has to be", "move that file away")
        if reason := why_not_writable(folder):
            to_do = "make it writable for you, or work on a copy of the project elsewhere"
            return Finding("missing", f"nothing can be written in {folder} ({reason})", to_do)
    return Finding("ok", "all that the run writes in can be written in")


def _written(project: Project) -> Iterator[Path]:
    """The folders that outs, state and provenance come into, and DVC's own."""
    yield from dict.fromkeys(project.path(key).parent for key in (*PRODUCERS, "plots"))
    yield from (project.root / name for name in ("", ".dvc", ".genreid", "provenance"))


def nearest_folder(path: Path) -> Path:
    """`path`, or what is there of the way to it."""
    return next(place for place in (path, *path.parents) if place.exists())


def why_not_writable(folder: Path) -> str | None:
    """By trying, with a file that has no name: rights alone do not tell of a disk that is full."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return "no right to write"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None


PLACE = (Check("repository", _repository), Check("folders", _folders))
